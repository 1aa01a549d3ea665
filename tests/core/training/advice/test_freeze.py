"""Short trainings are compared fairly: the same items, none of the test, the cheapest that is not surely worse."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.data.versions import load_version
from core.errors import DataError
from core.jobs.advice_items import sides
from core.specs import TrainConfig
from core.training.advice import freeze
from core.training.advice.alike import gains, surely_better
from core.training.advice.findings import Ask, FreezeAdvice
from core.workspace import Workspace
from tests.core.training.advice.texts import add_texts


def test_choices_are_tried_on_the_same_items_and_one_is_recommended(ws: Workspace) -> None:
    data = add_texts(ws)
    steps = list(freeze.advise(ws, Ask(data, ("graft-words",), TrainConfig()), sides))
    found = [step for step in steps if isinstance(step, FreezeAdvice)]
    last = found[-1]
    assert last.whole and not any(one.whole for one in found[:-1])
    assert [trial.kind for trial in last.trials] == ["head", "all"] and last.best == "head" and not last.untried
    assert (last.n_train, last.n_held) == (16, 16)
    assert all(trial.score and trial.score.value > 0.6 and not trial.cut for trial in last.trials)
    assert len(last.trials[0].points) == 20 and found[0].trials[0].score is None


def test_where_there_is_no_time_choices_are_named_as_untried(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze, "DEAR", dict.fromkeys(freeze.DEAR, 1e9))
    *_, last = freeze.advise(ws, Ask(add_texts(ws), ("graft-words",), TrainConfig()), sides)
    assert last == FreezeAdvice((), 16, 16, untried=(("head", None), ("all", None)), whole=True)


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


def test_luck_is_not_taken_for_a_difference() -> None:
    base = np.zeros(100)
    few, many = base.copy(), base.copy()
    few[:4], many[:12] = 1, 1
    assert not surely_better(few, base) and surely_better(many, base)  # four of four: McNemar's p is 0.125
    assert not surely_better(base, many) and not surely_better(base, base)


@pytest.mark.parametrize(("asked", "answers", "truths", "expected"), [
    ("single_label", [[0.9, 0.1], [0.8, 0.2]], [0, 1], [1, 0]),
    ("binary", [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9]], [0, 0, 1], [0.5, 0.5, 1]),
    ("multi_label", [[0.9, 0.1], [0.8, 0.7]], [[1, 0], [0, 0]], [0, -2]),
    ("regression", [[2.0], [5.0]], [2.5, 4.0], [-0.5, -1.0])])
def test_every_objective_says_how_good_an_answer_is(asked: str, answers: list, truths: list, expected: list) -> None:
    assert gains(np.array(answers), np.array(truths), asked).tolist() == expected
