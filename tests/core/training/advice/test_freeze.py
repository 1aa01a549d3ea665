"""Short trainings are compared fairly: the same items, none of the test, the cheapest that is not surely worse."""
from __future__ import annotations

import time
from dataclasses import replace

import pytest

from core.data.versions import load_version
from core.errors import DataError
from core.jobs.advice_items import sides
from core.models.catalog import find
from core.specs import HeadPlan, TrainConfig
from core.training.advice import freeze
from core.training.advice.choices import choices
from core.training.advice.findings import TOO_LARGE, Ask, FreezeAdvice, Looking
from core.training.advice.timing import Expected
from core.workspace import Workspace
from tests.core.training.advice.texts import add_texts


def test_choices_are_tried_on_the_same_items_and_one_is_recommended(ws: Workspace) -> None:
    data = add_texts(ws)
    steps = list(freeze.advise(ws, Ask(data, ("graft-words",), TrainConfig()), sides))
    found = [step for step in steps if isinstance(step, FreezeAdvice)]
    last = found[-1]
    assert last.whole and not any(one.whole for one in found[:-1])
    assert [trial.kind for trial in last.trials] == ["head", "all"] and last.best == "head" and not last.late and not last.failed
    assert (last.n_train, last.n_held) == (16, 16)
    assert all(trial.score and trial.score.value > 0.6 and not trial.cut for trial in last.trials)
    assert len(last.trials[0].points) == 20 and found[0].trials[0].score is None


def test_progress_never_falls_back(ws: Workspace) -> None:
    steps = [step for step in freeze.advise(ws, Ask(add_texts(ws), ("graft-words-lstm",), TrainConfig()), sides) if isinstance(step, Looking)]
    done = [step.done for step in steps]
    assert {step.total for step in steps} == {freeze.STEPS} and done == sorted(done) and done[0] == 0 and done[-1] <= freeze.STEPS
    assert len(set(done)) > 10 and [kind for kind in dict.fromkeys(step.about for step in steps)] == ["", "head", "all"]


def costing(monkeypatch: pytest.MonkeyPatch, **seconds: float) -> None:
    """Short trainings are expected to take so long."""
    monkeypatch.setattr(freeze, "expected", lambda ws, row, choice, *_: Expected(0.0, seconds[choice.kind.replace("-", "_")], 0.0))


def test_where_there_is_no_time_for_a_choice_there_is_none_for_one_that_changes_more(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when it is expected to be quicker: what is compared would not be in one order."""
    costing(monkeypatch, head=900.0, all=0.1)
    *_, last = freeze.advise(ws, Ask(add_texts(ws), ("graft-words",), TrainConfig()), sides)
    assert last == FreezeAdvice((), 16, 16, late=(("head", 900.0), ("all", 0.1)), whole=True)
    costing(monkeypatch, head=0.1, all=900.0)
    *_, last = freeze.advise(ws, Ask(add_texts(ws), ("graft-words",), TrainConfig()), sides)
    assert [trial.kind for trial in last.trials] == ["head"] and last.late == (("all", 900.0),) and last.best == "head"


@pytest.mark.parametrize(("budget_s", "n"), [(0.0, 200), (600.0, 200), (10.0, 160)])
def test_the_sample_is_smaller_where_time_is_short(ws: Workspace, monkeypatch: pytest.MonkeyPatch, budget_s: float, n: int) -> None:
    costing(monkeypatch, head=20.0, all=60.0)
    *_, last = freeze.advise(ws, Ask(add_texts(ws, 125), ("graft-words",), TrainConfig(), budget_s=budget_s), sides)
    assert last.n_train + last.n_held == n


def test_the_time_to_judge_what_was_learned_is_kept_free(ws: Workspace) -> None:
    data, row = add_texts(ws), find("graft-words")
    ask = Ask(data, (row.key,), TrainConfig())
    head, _all = choices(row, TrainConfig(), HeadPlan())
    version = freeze.halves(load_version(ws, data), 480)
    sample = freeze._Sample(version, sides(ws, row, data, version, TrainConfig()), [item.label for item in version.split("val")], "fp32")
    *_, left = freeze._train(ws, row, ask, head, Expected(0.0, 0.0, 1000.0), sample, time.monotonic() + 1000.0)
    assert isinstance(left, freeze._Tried) and left.trial.cut and len(left.trial.points) == 1


def test_what_a_training_took_corrects_what_the_next_one_should_take(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head was expected to take a thousand times as long as it does, and so was the rest."""
    costing(monkeypatch, head=1000.0, all=2000.0)
    *_, last = freeze.advise(ws, Ask(add_texts(ws), ("graft-words",), TrainConfig(), budget_s=1000.0), sides)
    assert [trial.kind for trial in last.trials] == ["head", "all"] and not last.late


def test_a_choice_for_which_memory_runs_out_does_not_keep_the_others_from_being_tried(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    train, asked = freeze._train, Ask(add_texts(ws), ("graft-words",), TrainConfig())

    def failing(text: str):  # type: ignore[no-untyped-def]
        def fails(ws: Workspace, row, ask, choice, *rest):  # type: ignore[no-untyped-def]
            if choice.kind == "head":
                raise RuntimeError(text)
            return train(ws, row, ask, choice, *rest)
        return fails
    monkeypatch.setattr(freeze, "_train", failing("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."))
    *_, last = freeze.advise(ws, asked, sides)
    assert last.failed == (("head", TOO_LARGE),) and [trial.kind for trial in last.trials] == ["all"] and last.best == "all"
    monkeypatch.setattr(freeze, "_train", failing("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):  # a mistake of ours is none of the machine's
        list(freeze.advise(ws, asked, sides))


def test_halves_share_no_group_and_no_test_item(ws: Workspace) -> None:
    version = load_version(ws, add_texts(ws))
    paired = replace(version, items=tuple(replace(item, group=f"g{i // 2}") for i, item in enumerate(version.items)))
    tested = {item.sha for item in paired.split("test")}
    halved = freeze.halves(paired, 480)
    learned, held = ({item.group for item in halved.split(name)} for name in ("train", "val"))
    assert learned and held and not learned & held and not tested & {item.sha for item in halved.items}


def test_too_few_items_are_refused_with_a_way_out(ws: Workspace) -> None:
    with pytest.raises(DataError, match="too few items"):
        freeze.halves(load_version(ws, add_texts(ws, 5)), 480)
