"""The label doctor: which items probably bear a wrong label, found before anything is trained.

Every item is judged by somebody who has learned from the others: features that need no training (the built-in network's for pictures,
counts of letters and words for texts), a regularised logistic regression, and cross-validation in which copies, near-copies and members
of a group always stand in the same fold. Confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021; the library cleanlab) then says
which labels disagree too clearly to be chance.
"""
from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from cleanlab.count import num_label_issues
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.sparse import coo_array, csr_array, hstack, issparse
from scipy.sparse.csgraph import connected_components
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler, normalize

from core.data.facts import Near, load_facts
from core.data.suspects import MOST_ITEMS, MOST_SUSPECTS, Findings, Neighbour, Suspect
from core.data.texts import load_texts
from core.data.versions import Item, Version, load_version
from core.errors import DataError
from core.objectives import objective
from core.specs import DataSpec
from core.workspace import Workspace

FOLDS = 5
SEED = 0
NEIGHBOURS = 4
VOTERS = 10
"""Neighbours that are asked whether they bear the label that an item was given."""
MOST_COMPARED = 2000
"""Doubtful items whose neighbours are looked up."""
CLEAR, CLEAR_CHANCE = 0.05, 0.05
"""A label is clearly doubtful up to the quality CLEAR + CLEAR_CHANCE / (n_labels - 1): the fewer labels there are, the more wrong ones of
the same kind lie among an item's neighbours by chance (benchmarks/label_doctor.py)."""
PICTURE_C = 0.003
TEXT_C = 1.0
"""Inverse strengths of the regularisation, for standardised features of pictures and for TF-IDF (benchmarks/label_doctor.py)."""
CHARS, MOST_TERMS = 2000, 50_000
"""How much of a text is read; how many kinds of words, and of runs of letters, are counted."""
BATCH = 32
METHODS = {
    "image": "Each picture was judged by a learner that had seen only other pictures, from what the built-in network sees in it "
             "({folds}-fold cross-validation, confident learning). The {voters} pictures most like it had to agree.",
    "text": "Each text was judged by a learner that had seen only other texts, from its words and runs of letters "
            "({folds}-fold cross-validation, confident learning). The {voters} texts most like it had to agree.",
}
"""By task, templates of the translation catalogue."""

Stage = Literal["reading", "judging"]
Progress = Callable[[Stage, int, int], None]
"""Called with what is being done, the steps done and the steps in all."""
Features = NDArray[np.float32] | csr_array
"""(n, width), dense or sparse; one row an item."""
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Doubt:
    """An item that looks like another label. `quality`: of its label, 0 to 1, from the learner and the neighbours; `clear`: they agree
    so far that it should be looked at; `around`: the nearest rows with their cosines."""
    row: int
    quality: float
    clear: bool
    around: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """`p` (n, n_labels): calibrated probabilities from folds that an item is not part of; `judged` (n,): False where its label was in no
    other fold."""
    p: Floats
    judged: NDArray[np.bool_]
    folds: int


def look(ws: Workspace, data: DataSpec, progress: Progress) -> Findings:
    """Look for wrong labels in a version. Raises `DataError` when there are not two labels that can be judged, and where labels don't
    exclude one another."""
    if not objective(data.objective).labels_exclude:
        raise DataError("The label doctor can't judge these labels.", "It looks for items that bear one label and look like another.",
                        "Ask for one label an item first (under “What is asked”).")
    version, near = load_version(ws, data), load_facts(ws, data.dataset).near
    positions, left_out = chosen(version, near)
    items = [version.items[position] for position in positions]
    if version.task == "text":
        texts = load_texts(ws, data.dataset)
        features: Features = text_features([texts[item.sha] for item in items])
    else:
        features = picture_features(ws, [item.sha for item in items], lambda done, total: progress("reading", done, total))
    return judge(version, positions, left_out, features, near, progress)


def chosen(version: Version, near: Sequence[Near] = (), most: int = MOST_ITEMS) -> tuple[list[int], tuple[str, ...]]:
    """Positions of the items to look at, and the labels that are left out because nothing else of their kind is there to learn from.

    Of more than `most` items, the same share of each label is taken, by a hash of the content. Raises `DataError` when fewer than two
    labels are left."""
    units = units_of(version.items, near)
    of_label: dict[int, set[int]] = defaultdict(set)
    for item, unit in zip(version.items, units):
        of_label[item.label].add(int(unit))
    left_out = tuple(label for idx, label in enumerate(version.labels) if len(of_label[idx]) < 2)
    by_label: dict[int, list[int]] = defaultdict(list)
    for position, item in enumerate(version.items):
        if version.labels[item.label] not in left_out:
            by_label[item.label].append(position)
    if len(by_label) < 2:
        raise _too_little()
    share = min(1.0, most / sum(map(len, by_label.values())))
    kept: list[int] = []
    for positions in by_label.values():
        ranked = sorted(positions, key=lambda position: _rank(version.items[position])) if share < 1 else positions
        kept += ranked[:max(2, round(share * len(ranked)))]
    return sorted(kept), left_out


def judge(version: Version, positions: Sequence[int], left_out: tuple[str, ...], features: Features, near: Sequence[Near],
          progress: Progress) -> Findings:
    """Find the suspects among the items at `positions`, of which `features` has a row each."""
    items = [version.items[position] for position in positions]
    present = sorted({item.label for item in items})
    labels = [version.labels[idx] for idx in present]
    y, units = np.array([present.index(item.label) for item in items]), units_of(items, near)
    judgement = out_of_fold(features, y, units, lambda done, total: progress("judging", done, total))
    doubts = doubts_of(features, y, units, judgement)
    rows = np.flatnonzero(judgement.judged)
    doubtful = _once_each([doubt for doubt in doubts if doubt.clear], items)

    def suspect(doubt: Doubt) -> Suspect:
        p, best = judgement.p[doubt.row], int(judgement.p[doubt.row].argmax())
        around = tuple(Neighbour(positions[row], items[row].sha, labels[y[row]], round(likeness, 4))
                       for row, likeness in doubt.around[:NEIGHBOURS])
        return Suspect(positions[doubt.row], items[doubt.row].sha, labels[y[doubt.row]], labels[best], round(float(p[y[doubt.row]]), 4),
                       round(float(p[best]), 4), round(doubt.quality, 4), around)
    return Findings(
        len(rows), len(version.items), left_out, tuple(map(suspect, doubtful[:MOST_SUSPECTS])), len(doubtful),
        int(num_label_issues(y[rows], judgement.p[rows])), float((judgement.p[rows].argmax(1) == y[rows]).mean()), METHODS[version.task],
        {"folds": judgement.folds, "voters": VOTERS})


def picture_features(ws: Workspace, shas: Sequence[str], progress: Callable[[int, int], None]) -> NDArray[np.float32]:
    """What the built-in network sees of each picture, pooled before its head: (n, 512). Here torch is loaded."""
    import torch

    from core.bundle import predict
    from core.models.blocks import State
    from core.models.catalog import DEFAULT, find
    from core.models.pictures.build import build_source
    from core.models.shares import outputs
    from core.preprocess import of_input
    from core.tasks.pixels import Pixels

    preprocess = of_input(find(DEFAULT).input)
    order = sorted(set(shas))
    steps = 2 * len(order)
    pixels = torch.from_numpy(Pixels(ws, order, preprocess).read(lambda done, _: progress(done, steps)))
    network = build_source(find(DEFAULT), 0, True, None).eval()
    found = []
    for idx in torch.arange(len(order)).split(BATCH):
        x = predict.normalise(predict.centre(pixels[idx], preprocess), preprocess)
        found.append(outputs(network, State(x), stop=len(network.blocks) - 1).x)  # (B, 512): everything but the head
        progress(len(order) + int(idx[-1]) + 1, steps)
    place = {sha: i for i, sha in enumerate(order)}
    return torch.cat(found).numpy()[[place[sha] for sha in shas]]


def text_features(texts: Sequence[str]) -> csr_array:
    """TF-IDF of words with pairs of them, and of 2 to 4 letters in a row, which also tell something of languages without spaces:
    (n, width), sparse, rows of length 1."""
    texts = [text[:CHARS] for text in texts]
    rare = 2 if len(texts) > 200 else 1
    counted = partial(TfidfVectorizer, min_df=rare, max_features=MOST_TERMS, sublinear_tf=True, dtype=np.float32)
    letters = counted(analyzer="char_wb", ngram_range=(2, 4)).fit_transform(texts)
    try:
        words = counted(token_pattern=r"\w+", ngram_range=(1, 2)).fit_transform(texts)
    except ValueError:  # no word comes again, as in a language without spaces, or there are none, as among signs: letters must do
        return csr_array(letters)
    return csr_array(normalize(hstack([words, letters], format="csr")))


def units_of(items: Sequence[Item], near: Sequence[Near] = ()) -> Indices:
    """For each item the number of its unit: copies, near-copies and members of a group are one, since any of them gives away the others'
    labels, right or wrong."""
    number: dict[tuple[str, str], int] = {}

    def node(kind: str, key: str) -> int:
        return number.setdefault((kind, key), len(number))
    own = [node("sha", item.sha) for item in items]
    joins = [(node("sha", item.sha), node("group", item.group)) for item in items if item.group]
    joins += [(number["sha", pair.a], number["sha", pair.b]) for pair in near if ("sha", pair.a) in number and ("sha", pair.b) in number]
    a, b = np.array(joins, dtype=np.int64).reshape(-1, 2).T
    _, component = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(len(number), len(number))), directed=False)
    return component[own].astype(np.int64)


def out_of_fold(features: Features, y: Indices, units: Indices, progress: Callable[[int, int], None]) -> Judgement:
    """Probabilities of the labels `y` (n,) from learners that have not seen an item, nor anything of its unit. Raises `DataError` when
    not even two labels can be judged so."""
    n_labels = int(y.max()) + 1
    folds = min(FOLDS, max(len(set(units[y == label])) for label in range(n_labels)))
    p, judged = np.zeros((len(y), n_labels)), np.zeros(len(y), dtype=bool)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=SEED)
    for done, (learn, ask) in enumerate(splitter.split(np.zeros(len(y)), y, units), 1):
        known = np.unique(y[learn])
        if len(known) > 1:
            p[ask[:, None], known] = _learned(features[learn], y[learn], features[ask])
            judged[ask] = np.isin(y[ask], known)
        progress(done, folds)
    if len(np.unique(y[judged])) < 2:
        raise _too_little()
    p[judged] = calibrated(p[judged], y[judged])
    return Judgement(p, judged, folds)


def _too_little() -> DataError:
    return DataError("There is too little to find wrong labels in.", "At least two labels need two different items each.",
                     "Add items, then look again.")


def calibrated(p: Floats, y: Indices) -> Floats:
    """Probabilities (n, n_labels) made as sure as they are right of `y`: how strongly a learner is regularised, which must suit a hundred
    items as well as many thousands, then no longer tells how sure it is. Temperature scaling (Guo et al. 2017, arXiv:1706.04599)."""
    logits = np.log(np.clip(p, 1e-9, 1))

    def scaled(log_temperature: float) -> Floats:
        return softmax(logits * np.exp(-log_temperature), axis=1)

    def loss(log_temperature: float) -> float:
        return float(-np.log(np.clip(scaled(log_temperature)[np.arange(len(y)), y], 1e-12, 1)).mean())
    return scaled(minimize_scalar(loss, bounds=(-2.5, 2.0), method="bounded").x)


def _learned(known: Features, labels: Indices, asked: Features) -> Floats:
    if issparse(known):
        return LogisticRegression(C=TEXT_C, max_iter=200, tol=1e-3).fit(known, labels).predict_proba(asked)
    scaler = StandardScaler().fit(known)
    learner = LogisticRegression(C=PICTURE_C, max_iter=200, tol=1e-3).fit(scaler.transform(known), labels)
    return learner.predict_proba(scaler.transform(asked))


def doubts_of(features: Features, y: Indices, units: Indices, judgement: Judgement) -> list[Doubt]:
    """The items that look like another label than theirs, worst first, at most `MOST_COMPARED`.

    A learner is often sure and wrong, so the nearest neighbours count as a second witness: on data without planted errors this leaves
    less than half of the false alarms (benchmarks/label_doctor.py)."""
    rows = np.flatnonzero(judgement.judged)
    own = judgement.p[np.arange(len(y)), y]
    other = rows[find_label_issues(y[rows], judgement.p[rows], filter_by="predicted_neq_given", n_jobs=1)]
    other = other[np.argsort(own[other], kind="stable")][:MOST_COMPARED]
    limit = CLEAR + CLEAR_CHANCE / (judgement.p.shape[1] - 1)
    doubts = []
    for row, around in zip(other.tolist(), neighbours(features, other, units)):
        votes = sum(y[near] == y[row] for near, _ in around) / max(len(around), 1)
        quality = float(2 * own[row] + votes) / 3
        doubts.append(Doubt(row, quality, quality <= limit, around))
    return sorted(doubts, key=lambda doubt: doubt.quality)


def neighbours(features: Features, rows: Indices, units: Indices) -> list[list[tuple[int, float]]]:
    """For each of `rows` the `VOTERS` most similar rows of other units with their cosines, nearest first."""
    # pooled features are all positive: without their mean all look alike
    lengthless = features if issparse(features) else normalize(features - features.mean(0))
    found = []
    for part in np.array_split(rows, max(1, -(-len(rows) // BATCH))):
        cosines = lengthless[part] @ lengthless.T  # (B, n)
        cosines = cosines.toarray() if issparse(cosines) else cosines
        cosines[units[part][:, None] == units] = -np.inf
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :VOTERS]
        found += [[(int(row), float(likeness[row])) for row in nearest if np.isfinite(likeness[row])]
                  for nearest, likeness in zip(order, cosines)]
    return found


def _once_each(doubts: Sequence[Doubt], items: Sequence[Item]) -> list[Doubt]:
    """One of each content and label: copies are decided about together."""
    first: dict[tuple[str, int], Doubt] = {}
    for doubt in doubts:
        first.setdefault((items[doubt.row].sha, items[doubt.row].label), doubt)
    return list(first.values())


def _rank(item: Item) -> bytes:
    return hashlib.sha256(b"graft-doctor" + item.sha.encode()).digest()
