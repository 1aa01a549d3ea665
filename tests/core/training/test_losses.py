"""Every objective learns on a tiny real network, and its figures are those of the report."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from core.data.versions import Item, Version
from core.evaluation.judge import evaluate
from core.evaluation.predictions import probabilities
from core.events import EpochEnd
from core.models.answers import Answers, answers_of, as_answers
from core.models.build import architecture, build
from core.models.catalog import find
from core.models.pictures.architecture import rebuild
from core.objectives import OBJECTIVES, objective
from core.tasks.targets import TARGETS
from core.training.fit import fit
from core.training.losses import LOSSES, Terms
from tests.core.training.learners import Given, of, pictures, spec

KEY = "graft-resnet10"
LABELS = {"single_label": ("a", "b", "c"), "binary": ("no", "yes"), "multi_label": ("a", "b", "c"), "regression": ("weight",)}


def sides(key: str, n_train: int = 24, n_val: int = 12) -> dict[str, Given]:
    """Pictures whose colour tells the label, or the labels, or the number: kilograms around 500."""
    def side(n: int, seed: int) -> Given:
        kinds = [i % (2 if key == "binary" else 3) for i in range(n)]
        seen = pictures(kinds, seed)
        if key == "multi_label":
            return Given(seen.x, torch.tensor([[kind == 0, kind != 1, False] for kind in kinds], dtype=torch.float32))
        if key == "regression":
            return Given(seen.x, torch.tensor([500.0 + 20 * kind for kind in kinds]))
        return seen
    return {"train": side(n_train, 1), "val": side(n_val, 2), "test": Given(torch.zeros(0, 3, 64, 64), side(1, 1).targets[:0])}


def asked(key: str, given: dict[str, Given]) -> Answers:
    values = given["train"].targets.tolist() if objective(key).numeric else []
    items = tuple(Item(str(i), "", 0, "train", value=value) for i, value in enumerate(values))
    return answers_of(Version(LABELS[key], items, objective=key))


@pytest.mark.parametrize("key", list(OBJECTIVES))
def test_every_objective_learns_and_says_the_same_figure_as_its_report(key: str, tmp_path: Path) -> None:
    given = sides(key)
    answers = asked(key, given)
    run = spec("head", epochs=12, learning_rate=0.02)
    run = replace(run, data=replace(run.data, objective=key))
    network = build(find(KEY), answers, 5, pretrained=True)
    ends = of(list(fit(run, network, given, answers.n_outputs, tmp_path, lambda: "go")), EpochEnd)  # type: ignore[arg-type]
    assert ends[-1].train_loss < 0.7 * ends[0].train_loss
    best = max(ends, key=lambda end: end.best and end.epoch)
    row = objective(key)
    report = evaluate(probabilities(network, given["val"], key), given["val"].targets.tolist(), LABELS[key], split="val", objective_key=key)
    assert report.score == pytest.approx(best.val_score, rel=1e-3)
    scores = [end.val_score for end in ends if end.val_score is not None]
    assert best.val_score == (max(scores) if row.higher_is_better else min(scores))


def test_every_objective_has_its_rows() -> None:
    assert set(LOSSES) == set(TARGETS) == set(OBJECTIVES)
    for key, loss in LOSSES.items():
        assert (loss.weigh is not None) == OBJECTIVES[key].weights


def test_numbers_are_answered_in_their_own_unit_from_the_start() -> None:
    """Before anything is learned the head is near zero, so the answer is near the mean of what it will learn from."""
    network = build(find(KEY), Answers(1, 500.0, 12.0), 5, pretrained=False).eval()
    with torch.no_grad():
        assert network(torch.rand(4, 3, 64, 64)).flatten().tolist() == pytest.approx([500.0] * 4, abs=12.0)
    plan = architecture(find(KEY), Answers(1, 500.0, 12.0))
    again = rebuild(plan)
    again.load_state_dict(network.model.state_dict())
    again.eval()
    x = torch.rand(2, 3, 64, 64)
    assert torch.equal(again(x), network.model(x)) and not [p for p in again.fc[1].parameters()]


def test_the_scale_stays_exact_in_half_precision() -> None:
    network = build(find(KEY), Answers(1, 100_000.0, 0.5), 5, pretrained=False).eval()
    network.precision = "bf16"
    with torch.no_grad():
        assert network(torch.rand(2, 3, 64, 64)).sub(100_000).abs().max() < 1


def test_the_loss_of_numbers_does_not_depend_on_their_unit() -> None:
    loss = LOSSES["regression"]
    kilos, said = torch.tensor([60.0, 70.0, 95.0]), torch.tensor([[62.0], [71.0], [70.0]])
    in_kilos = loss.loss(said, kilos, loss.terms(kilos, 1))
    grams = kilos * 1000
    assert loss.loss(said * 1000, grams, loss.terms(grams, 1)).item() == pytest.approx(in_kilos.item())
    assert loss.score(loss.counts(said, kilos)) == pytest.approx((2 + 1 + 25) / 3)
    assert loss.terms(torch.tensor([4.0, 4.0]), 1).scale == 1.0


def test_two_labels_cost_the_same_asked_as_one_question_or_as_two() -> None:
    """A logit of its own for the first label, fixed at 0, gives the same probabilities."""
    logits, labels = torch.tensor([[0.3], [-1.2], [2.0]]), torch.tensor([1, 0, 0])
    both = torch.cat([torch.zeros(3, 1), logits], 1)
    for smoothing in (0.0, 0.1):
        terms = [LOSSES[key].terms(labels, 2, smoothing=smoothing, weighted=True) for key in ("binary", "single_label")]
        one, two = LOSSES["binary"].loss(logits, labels, terms[0]), LOSSES["single_label"].loss(both, labels, terms[1])
        assert one.item() == pytest.approx(two.item(), rel=0.05 if smoothing else 1e-6)


def test_rare_labels_may_count_for_more_but_not_without_end() -> None:
    marks = torch.zeros(1000, 3)
    marks[:500, 0] = marks[:10, 1] = 1
    weights = LOSSES["multi_label"].terms(marks, 3, weighted=True).weights
    assert weights is not None and weights.tolist() == [1.0, 99.0, 100.0]
    assert LOSSES["multi_label"].terms(marks, 3).weights is None


def test_what_was_learned_is_judged_without_smoothing_and_weights() -> None:
    assert Terms(0.1, torch.ones(2), 3.0).plain() == Terms(0.0, None, 3.0)


def test_an_int_means_so_many_answers() -> None:
    assert as_answers(3) == Answers(3) and as_answers(Answers(2)) == Answers(2) and isinstance(build(find(KEY), 2, 0, pretrained=False).model.fc, nn.Linear)
    with pytest.raises(ValueError, match="n_outputs"):
        Answers(0)
