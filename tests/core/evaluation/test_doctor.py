"""The label doctor: planted errors are found, right labels are left in peace, and nobody is judged by a copy of itself."""
from __future__ import annotations

import colorsys
import hashlib
import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.data.facts import Near
from core.data.suspects import Findings
from core.data.texts import write_texts
from core.data.versions import Item, Version, create_dataset
from core.errors import DataError
from core.evaluation import doctor
from core.evaluation.doctor import Features, chosen, judge, look, neighbours, out_of_fold, text_features, units_of
from core.specs import DataSpec
from core.workspace import Workspace, write_atomic
from tests.core.data.picture_files import encoded

LABELS = ("cat", "dog", "hen")
N = 40


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def clouds(n: int = N, labels: tuple[str, ...] = LABELS) -> tuple[Version, Features]:
    """Labels that are easy to tell apart, `n` items of each."""
    items = tuple(Item(sha(f"{label}{i}"), f"{label}/{i}.jpg", idx, "train") for idx, label in enumerate(labels) for i in range(n))
    noise = np.random.default_rng(1).normal(size=(len(items), 8))
    centres = 8 * np.eye(8)[:len(labels)]
    return Version(labels, items), (noise + np.repeat(centres, n, axis=0)).astype(np.float32)


def mislabeled(version: Version, positions: tuple[int, ...]) -> Version:
    return replace(version, items=tuple(replace(item, label=(item.label + 1) % len(version.labels)) if position in positions else item
                                        for position, item in enumerate(version.items)))


def examined(version: Version, features: Features, near: tuple[Near, ...] = ()) -> Findings:
    positions, left_out = chosen(version, near)
    return judge(version, positions, left_out, features[positions], near, lambda *_: None)


def test_planted_errors_are_found_with_what_they_really_are() -> None:
    version, features = clouds()
    findings = examined(mislabeled(version, (3, 50, 100)), features)
    found = {suspect.position: (suspect.given, suspect.suggested) for suspect in findings.suspects}
    assert found == {3: ("dog", "cat"), 50: ("hen", "dog"), 100: ("cat", "hen")}
    assert findings.n_doubtful == 3 and (findings.looked_at, findings.total) == (120, 120)


def test_right_labels_are_left_in_peace() -> None:
    findings = examined(*clouds())
    assert findings.suspects == () and findings.accuracy > 0.95 and findings.expected == 0


def test_the_worst_come_first_and_figures_are_shares() -> None:
    version, features = clouds()
    findings = examined(mislabeled(version, (3, 50, 100)), features)
    quality = [suspect.quality for suspect in findings.suspects]
    assert len(quality) > 2 and quality == sorted(quality)
    assert all(0 <= suspect.quality <= 1 and 0 <= suspect.p_given < suspect.p_suggested <= 1 for suspect in findings.suspects)


def test_the_same_data_gives_the_same_findings() -> None:
    version, features = clouds()
    wrong = mislabeled(version, (3, 50))
    assert examined(wrong, features) == examined(wrong, features)


def test_neighbours_are_the_nearest_other_items_with_their_labels() -> None:
    version, features = clouds()
    [suspect] = examined(mislabeled(version, (3,)), features).suspects
    assert [one.label for one in suspect.neighbours] == ["cat"] * 4 and 3 not in [one.position for one in suspect.neighbours]
    assert all(version.items[one.position].sha == one.sha for one in suspect.neighbours)
    likeness = [one.likeness for one in suspect.neighbours]
    assert likeness == sorted(likeness, reverse=True)


def test_items_of_one_unit_are_no_neighbours() -> None:
    features = np.array([[1, 0.0], [1, 0.01], [1, 0.5], [-1, 0.0]], dtype=np.float32)
    [around] = neighbours(features, np.array([0]), np.array([7, 7, 8, 9]))
    assert [row for row, _ in around] == [2, 3]


def test_copies_near_copies_and_groups_are_one_unit() -> None:
    items = [Item("a", "1", 0, "train"), Item("a", "2", 1, "train"), Item("b", "3", 0, "train", group="g"),
             Item("c", "4", 0, "train", group="g"), Item("d", "5", 0, "train"), Item("e", "6", 0, "train")]
    units = units_of(items, (Near("c", "d", 0.95), Near("e", "gone", 1.0))).tolist()
    assert units[0] == units[1] and units[2] == units[3] == units[4] and len(set(units)) == 3


def test_nobody_is_judged_by_a_learner_that_knows_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    y, units = np.repeat([0, 1], 20), np.arange(40) // 2
    met: list[set[int]] = []

    def learned(known: Features, labels: np.ndarray, asked: Features) -> np.ndarray:
        met.append(set(units[known[:, 0].astype(int)]) & set(units[asked[:, 0].astype(int)]))
        return np.full((len(asked), 2), 0.5)
    monkeypatch.setattr(doctor, "_learned", learned)
    doctor.out_of_fold(np.arange(40.0)[:, None], y, units, lambda *_: None)
    assert met == [set()] * 5


def test_copies_with_one_wrong_label_are_one_suspect() -> None:
    version, features = clouds()
    items = list(mislabeled(version, (3,)).items)
    twice = replace(version, items=(*items, replace(items[3], name="again.jpg")))
    [suspect] = examined(twice, np.concatenate([features, features[3:4]])).suspects
    assert suspect.sha == items[3].sha and suspect.suggested == "cat"


def test_a_label_with_a_single_item_is_left_out_by_name() -> None:
    version, features = clouds()
    lonely = replace(version, labels=(*LABELS, "owl"), items=(*version.items, Item(sha("owl"), "owl/1.jpg", 3, "train")))
    findings = examined(lonely, np.concatenate([features, features[:1]]))
    assert findings.left_out == ("owl",) and findings.looked_at == 120 and findings.suspects == ()


def test_labels_with_fewer_items_than_folds_are_judged_where_they_can_be() -> None:
    version, features = clouds()
    few = [*range(0, 40), *range(40, 43), *range(80, 82)]
    findings = examined(replace(version, items=tuple(version.items[i] for i in few)), features[few])
    assert findings.left_out == () and 40 < findings.looked_at <= 45
    assert [suspect for suspect in findings.suspects if suspect.given == "cat"] == []


def test_nothing_to_compare_is_said() -> None:
    version, _ = clouds(1, ("cat", "dog"))
    with pytest.raises(DataError, match="too little to find wrong labels in"):
        chosen(version)


def test_labels_that_no_learner_can_be_asked_about_are_said() -> None:
    """Groups that lie across the labels leave every learner with one of them."""
    with pytest.raises(DataError, match="too little to find wrong labels in"):
        out_of_fold(np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 2]), lambda *_: None)


def test_of_many_items_the_same_share_of_each_label_is_taken_whatever_their_order() -> None:
    version, _ = clouds()
    positions, _ = chosen(version, most=30)
    assert np.bincount([version.items[i].label for i in positions]).tolist() == [10, 10, 10]
    turned = replace(version, items=version.items[::-1])
    again, _ = chosen(turned, most=30)
    assert {turned.items[i].sha for i in again} == {version.items[i].sha for i in positions}


def test_features_of_texts_without_spaces_tell_something() -> None:
    features = text_features(["今天天气很好", "今天天气很热", "这道菜太咸了", "这道菜太辣了"])
    likeness = (features @ features.T).toarray()
    assert likeness[0, 1] > 2 * likeness[0, 2] and likeness[2, 3] > 2 * likeness[1, 2]


def test_texts_without_a_word_that_comes_again_are_told_apart_by_their_letters() -> None:
    source = random.Random(0)
    sentences = ["".join(chr(0x4E00 + source.randrange(300)) for _ in range(12)) for _ in range(300)]
    for texts in (sentences, ["😀😀", "😡😡", "!!!", "???"]):
        features = text_features(texts)
        assert features.shape[0] == len(texts) and features.nnz


def test_a_text_with_the_wrong_label_is_found(ws: Workspace) -> None:
    words = {"food": "soup bread salty dinner cook plate fresh taste".split(), "sky": "rain cloud storm sunny wind cold snow warm".split()}
    source = random.Random(0)
    rows = [(" ".join(source.sample(words[label], 5)) + f" {i}", label) for label in words for i in range(40)]
    rows[5] = (rows[5][0], "sky")
    items = tuple(Item(sha(text), f"t.csv:{i}", ("food", "sky").index(label), "train", length=len(text))
                  for i, (text, label) in enumerate(rows))
    data = create_dataset(ws, "textdataset", "t", "ownera", Version(("food", "sky"), items, task="text"))
    write_texts(ws.dataset("textdataset") / "texts.parquet", {sha(text): text for text, _ in rows})
    assert [suspect.position for suspect in look(ws, data, lambda *_: None).suspects] == [5]


def test_a_picture_with_the_wrong_label_is_found_and_progress_is_told(ws: Workspace) -> None:
    items = []
    for idx, hue in enumerate((0.0, 0.6)):
        for i in range(24):
            wave = Image.effect_noise((48, 48), 30 + i)
            red, green, blue = (int(255 * part) for part in colorsys.hsv_to_rgb(hue + 0.002 * i, 0.9, 0.9))
            plain, mostly = Image.new("RGB", (48, 48), (red, green, blue)), Image.new("L", (48, 48), 170)
            content = encoded(Image.composite(plain, wave.convert("RGB"), mostly))
            key = hashlib.sha256(content).hexdigest()
            write_atomic(ws.blob(key), content)
            items.append(Item(key, f"{idx}/{i}.jpg", idx, "train", 48, 48))
    items[7] = replace(items[7], label=1)
    data = create_dataset(ws, "colourdataset", "c", "ownera", Version(("blue", "red"), tuple(items)))
    said = []
    findings = look(ws, data, lambda stage, done, total: said.append((stage, done, total)))
    assert [suspect.position for suspect in findings.suspects] == [7]
    assert ("reading", 96, 96) in said and said[-1] == ("judging", 5, 5)


@pytest.mark.parametrize("key", ["multi_label", "regression"])
def test_labels_that_do_not_exclude_one_another_are_not_judged(ws: Workspace, key: str) -> None:
    with pytest.raises(DataError, match="can't judge these labels"):
        look(ws, DataSpec("pets", "v1", objective=key), lambda stage, done, total: None)
