"""Models compared by their features: in which order, on which items, and what is kept."""
from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from core.data.versions import Item, Version
from core.errors import DataError, ModelError
from core.jobs.advice_items import prepare
from core.specs import TrainConfig
from core.training.advice import ranking
from core.training.advice.features import sampled
from core.training.advice.findings import TOO_LARGE, Ask, Fit, Looking, Ranking, Score
from core.training.advice.ranking import advise, fit_of, ranked
from core.workspace import Workspace
from tests.core.training.advice.texts import add_texts

MODELS = ("graft-words-lstm", "graft-words")


def fit(model: str, score: float, logme: float, half: float = 0.03, item_s: float = 1.0) -> Fit:
    return Fit(model, Score(score, score - half, score + half), logme, item_s, 1)


def order(*fits: Fit, higher_is_better: bool = True) -> list[str]:
    return [one.model for one in ranked(fits, 9, (), higher_is_better).fits]


def test_what_is_clearly_better_comes_first_whatever_its_evidence() -> None:
    assert order(fit("b", 0.70, 5.0), fit("a", 0.90, 0.0)) == ["a", "b"]
    assert order(fit("a", 0.70, 0.0), fit("b", 0.90, 5.0), higher_is_better=False) == ["a", "b"]


def test_scores_that_can_not_be_told_apart_are_ordered_by_evidence_then_by_work() -> None:
    assert order(fit("b", 0.90, 0.1), fit("a", 0.89, 0.2), fit("c", 0.5, 9.0)) == ["a", "b", "c"]
    assert order(fit("b", 0.90, 0.1, item_s=2.0), fit("a", 0.89, 0.1, item_s=1.0)) == ["a", "b"]


def test_without_a_range_only_equal_scores_are_alike() -> None:
    one, two = (Fit(name, Score(score, None, None), evidence, 1.0, 1) for name, score, evidence in (("a", 0.91, 0.0), ("b", 0.90, 9.0)))
    assert order(two, one) == ["a", "b"]


def test_models_are_ranked_in_part_first_and_what_was_looked_at_is_not_looked_at_again(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    data = add_texts(ws)
    ask = Ask(data, MODELS, TrainConfig())
    assert fit_of(ws, data, "graft-words") is None
    steps = list(advise(ws, ask, prepare))
    found = [step for step in steps if isinstance(step, Ranking)]
    assert [len(one.fits) for one in found] == [1, 2, 2] and [one.whole for one in found] == [False, False, True]
    assert {one.model for one in found[-1].fits} == set(MODELS) and found[-1].n == 32  # of 40 texts, 8 are for the test
    assert all(one.score.value >= 0.9 for one in found[-1].fits)
    shares = [step.done / step.total for step in steps if isinstance(step, Looking)]
    assert shares == sorted(shares) and shares[-1] <= 1
    monkeypatch.setattr(ranking, "_look", lambda *_: pytest.fail("looked again"))
    *_, again = advise(ws, ask, prepare)
    assert again == found[-1] and fit_of(ws, data, "graft-words") in found[-1].fits
    assert fit_of(ws, data, "graft-words", TrainConfig(max_tokens=4)) is None  # other settings show it other texts


def test_when_the_time_is_up_the_rest_is_named_as_not_tried(ws: Workspace) -> None:
    *_, found = advise(ws, Ask(add_texts(ws), MODELS, TrainConfig(), budget_s=1e-9), prepare)
    assert found == Ranking((), 32, (("graft-words", None), ("graft-words-lstm", None)), whole=True)


def test_a_model_that_can_not_be_built_does_not_keep_the_others_from_being_ranked(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    look = ranking._look

    def fails(ws: Workspace, row, *rest):  # type: ignore[no-untyped-def]
        if row.key == "graft-words-lstm":
            raise ModelError("It is broken.", "{why}", "Get another.", why="bits")
        return look(ws, row, *rest)
    monkeypatch.setattr(ranking, "_look", fails)
    *_, found = advise(ws, Ask(add_texts(ws), MODELS, TrainConfig()), prepare)
    assert [one.model for one in found.fits] == ["graft-words"]
    assert [(key, fault.title, fault.params) for key, fault in found.untried] == [("graft-words-lstm", "It is broken.", {"why": "bits"})]


def test_a_model_for_which_memory_runs_out_is_named_and_the_others_are_ranked(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(text: str):  # type: ignore[no-untyped-def]
        def fails(ws: Workspace, row, *rest):  # type: ignore[no-untyped-def]
            if row.key == "graft-words-lstm":
                raise RuntimeError(text)
            return prepare(ws, row, *rest)
        return fails
    ask = Ask(add_texts(ws), MODELS, TrainConfig())
    *_, found = advise(ws, ask, failing("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."))
    assert [one.model for one in found.fits] == ["graft-words"] and found.untried == (("graft-words-lstm", TOO_LARGE),)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        list(advise(ws, ask, failing("shapes cannot be multiplied")))


def test_too_few_items_are_refused(ws: Workspace) -> None:
    with pytest.raises(DataError, match="too few items"):
        list(advise(ws, Ask(add_texts(ws, 5), MODELS, TrainConfig()), prepare))


def items(n: int, label: int, side: str) -> list[Item]:
    return [Item(f"{label}{side}{i:04}", "x", label, side) for i in range(n)]  # type: ignore[arg-type]


def test_a_sample_has_each_labels_share_no_test_item_and_begins_with_a_sample() -> None:
    version = Version(("a", "b"), tuple(items(300, 0, "train") + items(100, 1, "val") + items(50, 0, "test")))
    version = replace(version, items=tuple(replace(item, sha=f"{hash_of(item.sha)}") for item in version.items))
    few = sampled(version, 100)
    assert [sum(item.label == label for item in few.items) for label in (0, 1)] == [75, 25]
    assert {item.sha for item in few.items} <= {item.sha for item in version.items if item.split != "test"}
    assert {item.label for item in few.items[:12]} == {0, 1}
    assert sampled(version, 10_000).items == tuple(sorted((replace(item, split="train") for item in version.items if item.split != "test"),
                                                          key=lambda item: item.sha))


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
