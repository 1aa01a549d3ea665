"""What is said of curves: each rule where its picture is there, and nothing alarming where there is only noise."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.data.versions import Item, Version
from core.errors import UserError
from core.events import Done, EpochEnd, Event, Failed, Resumed, Started, Step
from core.models.catalog import find
from core.specs import DataSpec, FreezePlan, RunSpec, TrainConfig
from core.training import fit as training
from core.training.chance import chance
from core.training.curves import noise
from core.training.narrator import narrate
from core.training.presets import groups, plan_for, preset_config
from core.training.remarks import BROKEN, Remark
from tests.core.training.learners import Given, network, pictures, sides, spec, train

ALARMS = ("memorising", "by heart", "too high", "Hardly anything", "stopped being", "training items alone")
ROW = find("graft-resnet10")


def curve(first: float, last: float, n: int) -> list[float]:
    """From one value to another, evenly in the logarithm."""
    return [first * (last / first) ** (i / max(1, n - 1)) for i in range(n)]


def log_of(train: Sequence[float], val: Sequence[float] | None, scores: Sequence[float], *, train_scores: Sequence[float] | None = None,
           n_train: int = 400, n_val: int = 200, n_classes: int = 3, epochs: int = 0, end: str = "done", rate: Sequence[float] = ()) -> list[Event]:
    """A run with these figures after each epoch, and a step in each. `end`: "done", "early", "stopped", or "" while it goes on."""
    n = len(train)
    log: list[Event] = [Started(n_train, n_val, 0, n_classes, 10, 100, epochs or n, 5, "cpu")]
    for i in range(n):
        log.append(Step(i + 1, 5 * (i + 1), train[i], scores[i], rate[i] if rate else 1e-3))
        log.append(EpochEnd(i + 1, 5 * (i + 1), train[i], (train_scores or scores)[i], val[i] if val else None, scores[i] if val else None, False, None))
    if end:
        log.append(Done(1 + max(range(n), key=lambda i: scores[i]), n, max(scores), 1.0, early=end == "early", stopped=end == "stopped"))
    return log


def told(run: RunSpec, log: Sequence[Event], n_val: int = 200, ended: bool = True, chance: float | None = None) -> list[Remark]:
    return narrate(run, log, n_val=n_val, ended=ended, chance=chance)


def texts(remarks: Sequence[Remark]) -> str:
    return "\n".join(remark.text.format(**remark.params) for remark in remarks)


def alarms(remarks: Sequence[Remark]) -> list[str]:
    return [remark.text for remark in remarks if any(word in remark.text for word in ALARMS)]


def states(plan: FreezePlan) -> list[str]:
    """What trains of each group."""
    return [name for name in groups(ROW) if any(block.state != "frozen" for block, facts in zip(plan.blocks, ROW.blocks) if facts.group == name)]


def asked(objective: str, **settings: object) -> RunSpec:
    return replace(spec(**settings), data=DataSpec("data", "v1", objective=objective))


def memorised(n: int = 14, at: int = 6) -> list[Event]:
    """The validation loss turns after epoch `at`."""
    val = curve(1.0, 0.5, at) + curve(0.53, 0.9, n - at)
    return log_of(curve(1.0, 0.02, n), val, [0.6 + 0.03 * min(i, at) for i in range(n)], train_scores=curve(0.6, 1.0, n))


def rough(values: Sequence[float], by: float) -> list[float]:
    """Up and down in turn, by that share."""
    return [value * (1 + by * (-1) ** i) for i, value in enumerate(values)]


# ---- each picture is recognised ----

def test_memorising_freezes_one_more_part() -> None:
    run = spec("all", epochs=14)
    remark = told(run, memorised())[0]
    assert remark.text.format(**remark.params) == (
        "Validation stopped improving at epoch 6 while training went on: it is memorising. Freeze one more part, or stop earlier.")
    assert remark.change and remark.change.label == "Try: freeze one more part" and remark.change.config is None and remark.change.plan
    assert states(remark.change.plan) == list(groups(ROW))[1:] and remark.change.plan.head == run.plan.head


def test_memorising_of_a_head_alone_changes_the_pictures_then_decays_then_stops_earlier() -> None:
    run = spec("head", epochs=14)
    change = told(run, memorised())[0].change
    assert change and change.plan is None and change.config and change.config.augmentation.active and change.config.preset == "custom"
    run = spec("head", epochs=14, augmentation=change.config.augmentation)
    remark = told(run, memorised())[0]
    assert remark.change and remark.change.config == replace(run.config, preset="custom", weight_decay=0.1) and "decay" in remark.text
    run = replace(run, config=replace(run.config, weight_decay=0.1))
    remark = told(run, memorised())[0]
    assert remark.change and remark.change.config == replace(run.config, preset="custom", epochs=6) and "Try: {n} epochs" == remark.change.label


def test_a_score_that_still_rises_is_no_memorising() -> None:
    log = memorised()
    rising = [replace(event, val_score=0.5 + 0.03 * event.epoch) if isinstance(event, EpochEnd) else event for event in log]
    assert alarms(told(spec("all", epochs=14), rising)) == []


def test_it_is_memorising_only_while_training_goes_on() -> None:
    log = [replace(event, train_loss=0.6) if isinstance(event, EpochEnd) else event for event in memorised()]
    assert alarms(told(spec("all", epochs=14), log)) == []


def test_with_few_items_a_small_turn_is_nothing() -> None:
    n = 12
    log = log_of(curve(1.0, 0.2, n), curve(1.0, 0.5, 6) + curve(0.51, 0.6, 6), [0.75] * n, n_val=16)
    assert alarms(told(spec("all", epochs=n), log, n_val=16)) == []
    assert alarms(told(spec("all", epochs=n), log, n_val=2000)) != []


def test_training_items_by_heart_and_validation_at_chance() -> None:
    log = log_of(curve(1.0, 0.02, 8), rough([1.2] * 8, 0.2), [0.34] * 8, train_scores=curve(0.4, 1.0, 8))
    assert "learned by heart" in told(spec("all", epochs=8), log)[0].text
    other = log_of(curve(1.0, 0.02, 8), rough([1.2] * 8, 0.2), [0.8] * 8, train_scores=[0.85] * 8)
    assert alarms(told(spec("all", epochs=8), other)) == []


@pytest.mark.parametrize("train, says", [
    ([1.1, 0.7, 1.3, 0.6, 1.2, 0.7], "jumps up and down"), ([1.1, 1.3, 1.6, 2.0, 2.4, 2.8], "grows instead of falling"),
    ([60, 30, 14, 9, 7, 6], "far above what guessing"), ([2.37, 2.06, 1.81, 1.53, 1.32, 1.26], "first rose above"),
])
def test_a_rate_that_is_too_high(train: list[float], says: str) -> None:
    remark = told(spec("all", epochs=6, learning_rate=3e-3), log_of(train, [1.1] * 6, [0.6] * 6))[0]
    assert says in remark.text and remark.change and remark.change.plan is None
    assert remark.change.config and remark.change.config.learning_rate == 1e-3 and remark.change.params == {"rate": "0.001"}


def test_a_rate_that_is_too_high_shows_within_the_first_epoch() -> None:
    begun: list[Event] = [Started(400, 200, 0, 3, 10, 100, 5, 50, "cpu")]
    growing = begun + [Step(1, i + 1, 1.1 * 1.2 ** i, 0.4, 1e-3) for i in range(12)]
    assert "grows" in told(spec(epochs=5), growing, ended=False)[0].text
    assert told(spec(epochs=5), begun + [Step(1, i + 1, value, 0.4, 1e-3) for i, value in enumerate(rough([1.1] * 12, 0.3))], ended=False) == []


def test_one_leap_where_blocks_join_is_expected() -> None:
    late = plan_for(ROW, "last-stage", head_first_epochs=2)
    log = log_of([1.0, 0.6, 0.9, 0.5, 0.4, 0.3], [1.0, 0.7, 0.9, 0.6, 0.5, 0.45], [0.5, 0.6, 0.55, 0.7, 0.75, 0.8])
    assert alarms(told(spec(late, epochs=6), log)) == []


def test_still_improving_at_the_end_trains_twice_as_long() -> None:
    run = spec("last-stage", epochs=9)
    remark = told(run, log_of(curve(1.1, 0.3, 9), curve(1.1, 0.5, 9), curve(0.4, 0.8, 9)))[0]
    assert remark.text == "It was still improving when its epochs were over."
    assert remark.change and remark.change.config == replace(run.config, preset="custom", epochs=18) and remark.change.params == {"n": 18}


@pytest.mark.parametrize("ended", [True, False])
def test_a_loss_that_falls_while_the_score_is_level_asks_for_nothing(ended: bool) -> None:
    """91 % for six epochs: more of them would end no better."""
    log = log_of(curve(0.9, 0.18, 9), curve(0.9, 0.2, 9), [0.5, 0.7, 0.85, *[0.91] * 6], epochs=9 if ended else 20, **({} if ended else {"end": ""}))
    remark = told(spec("last-stage", epochs=9 if ended else 20), log, ended=ended)[0]
    assert "falling" in remark.text and "level" in remark.text and remark.change is None


@pytest.mark.parametrize("end", ["stopped", ""])
def test_what_somebody_stopped_is_only_told(end: str) -> None:
    remark = told(spec(epochs=20), log_of(curve(1.1, 0.3, 9), curve(1.1, 0.5, 9), curve(0.4, 0.8, 9), epochs=20, end=end))[0]
    assert remark.text == "It was still improving when it ended." and remark.change is None


def flat(n: int = 6, score: float = 0.34) -> list[Event]:
    return log_of(rough([1.09] * n, 0.002), rough([1.1] * n, 0.002), [score] * n)


def test_hardly_anything_is_learned_at_a_low_rate() -> None:
    usual = preset_config(ROW, "balanced").learning_rate
    for rate, becomes in ((usual / 100, usual / 10), (usual / 5, usual)):
        remark = told(spec("last-stage", learning_rate=rate), flat())[0]
        assert "The learning rate is low" in remark.text and remark.change and remark.change.config
        assert remark.change.config.learning_rate == pytest.approx(becomes)


def test_hardly_anything_is_learned_at_a_high_rate() -> None:
    usual = preset_config(ROW, "balanced").learning_rate
    remark = told(spec("last-stage", learning_rate=10 * usual), flat())[0]
    assert "The learning rate is high" in remark.text and remark.change and remark.change.config and remark.change.config.learning_rate == 10 * usual / 3


def test_hardly_anything_is_learned_where_too_much_is_frozen() -> None:
    run = spec("last-stage", learning_rate=3e-3)
    remark = told(run, flat())[0]
    assert "Too much may be frozen" in remark.text and remark.change and remark.change.plan and remark.change.config is None
    assert states(remark.change.plan) == list(groups(ROW))[-3:]
    assert "labels fit" in told(spec("all", learning_rate=3e-3), flat())[0].text, "nothing is left to thaw"


def test_a_common_label_is_no_success() -> None:
    """Always giving the answer that 80 % bear is right for 80 %."""
    assert alarms(told(spec("last-stage", learning_rate=3e-3), flat(score=0.8))) == []
    assert "Hardly anything" in told(spec("last-stage", learning_rate=3e-3), flat(score=0.8), chance=0.8)[0].text


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_slow_but_steady_fall_wants_a_higher_rate(schedule: str) -> None:
    n, run = 10, spec("last-stage", epochs=10, learning_rate=1e-4, schedule=schedule)
    rates = [0.5 * (1 + math.cos(math.pi * (i + 0.5) / n)) if schedule == "cosine" else 1.0 for i in range(n)]
    train = [1.1 - 0.3 * sum(rates[:i]) / sum(rates) for i in range(n)]
    remark = told(run, log_of(train, [loss + 0.02 for loss in train], curve(0.4, 0.6, n), rate=rates))[0]
    assert "very slowly" in remark.text and remark.change and remark.change.config and remark.change.config.learning_rate == 3e-4


def test_what_is_slow_at_a_very_high_rate_gets_no_higher_one() -> None:
    train = [1.1 - 0.03 * i for i in range(10)]
    assert "slowly" not in texts(told(spec("last-stage", epochs=10, learning_rate=0.1), log_of(train, train, curve(0.4, 0.6, 10))))


def test_a_fall_that_levels_off_is_not_slow() -> None:
    train = [0.8 + 0.3 * 0.5 ** i for i in range(10)]
    assert "slowly" not in texts(told(spec("last-stage", epochs=10), log_of(train, train, [0.6] * 10)))


def test_what_goes_on_from_an_earlier_run_begins_low_and_may_move_a_little() -> None:
    for low in (curve(0.06, 0.05, 8), curve(0.05, 0.08, 8)):
        said = texts(told(spec("last-stage", epochs=8), log_of(low, [0.3] * 8, [0.85] * 8)))
        assert "slowly" not in said and "too high" not in said


def test_a_large_gap_is_named_with_both_scores() -> None:
    log = log_of(curve(1.0, 0.1, 8), curve(1.0, 0.8, 4) + [0.8] * 4, curve(0.5, 0.7, 4) + [0.7] * 4, train_scores=curve(0.6, 0.99, 8))
    remark = told(spec("last-stage", epochs=8), [replace(event, best_epoch=8) if isinstance(event, Done) else event for event in log])[0]
    assert "The score is 99 % in training and 70 % in validation" in remark.text.format(**remark.params)
    assert remark.change and remark.change.plan and states(remark.change.plan) == ["head"]


def test_patience_that_ended_it_says_what_is_kept() -> None:
    log = log_of([1.0, 0.6, 0.5, 0.5, 0.5, 0.5], [1.0, 0.7, 0.6, 0.6, 0.6, 0.6], [0.5, 0.7, 0.8, 0.79, 0.8, 0.78], epochs=20, end="early")
    assert "It stopped by itself after epoch 6: none had scored better since epoch 3, and that one is kept." in texts(told(spec(epochs=20, patience=3), log))


def test_patience_that_ended_it_while_the_loss_still_fell_may_be_doubled() -> None:
    run, n = spec("last-stage", epochs=20, patience=3), 9
    remark = told(run, log_of(curve(1.0, 0.2, n), curve(1.0, 0.4, n), [0.5, 0.6, 0.7, 0.78, 0.81, 0.82, 0.81, 0.8, 0.8], epochs=20, end="early"))[0]
    assert "still falling when its patience was over" in remark.text and remark.change
    assert remark.change.config == replace(run.config, preset="custom", patience=6) and remark.change.params == {"n": 6}


@pytest.mark.parametrize("after, says", [([0.6, 0.45, 0.4, 0.38], "has improved since"), ([0.8, 0.79, 0.8, 0.8], "nothing that could not be chance")])
def test_blocks_that_join_are_judged_by_what_they_brought(after: list[float], says: str) -> None:
    run = spec(plan_for(ROW, "last-stage", head_first_epochs=4), epochs=8)
    val = [0.9, 0.82, 0.8, 0.8, *after]
    remarks = told(run, log_of([1.0, 0.8, 0.7, 0.7, 0.6, 0.6, 0.6, 0.6], val, [1 - loss / 2 for loss in val]))
    about = next(remark for remark in remarks if "joined in" in remark.text)
    assert says in about.text and about.params == {"epoch": 5}
    if "chance" in says:
        assert about.change and about.change.plan and states(about.change.plan) == ["head"]


def test_right_from_the_start_is_easy_or_a_copy_but_not_where_a_label_is_that_common() -> None:
    log = log_of(curve(0.3, 0.05, 5), curve(0.2, 0.05, 5), [0.99] * 5)
    assert "near-copies" in told(spec(epochs=5), log)[0].text
    assert "near-copies" not in texts(told(spec(epochs=5), log, chance=0.99))
    later = log_of(curve(0.9, 0.05, 6), curve(0.8, 0.05, 6), [0.5, 0.8, 0.99, 0.99, 0.99, 0.99])
    assert told(spec(epochs=6), later)[0].text == "Nearly all validation items are answered right: there is little left to gain."


def test_few_validation_items_make_a_rough_curve() -> None:
    log = log_of(curve(1.0, 0.5, 5), curve(1.0, 0.6, 5), curve(0.5, 0.7, 5), n_val=12)
    assert "only 12 validation items: one answer more or less is a step of 8 %" in texts(told(spec(epochs=5), log, n_val=12))
    assert "only" not in texts(told(spec(epochs=5), log, n_val=30))


def test_without_validation_training_alone_is_told() -> None:
    log = log_of(curve(1.1, 0.3, 9), None, curve(0.4, 0.9, 9), n_val=0, end="")
    assert [remark.text for remark in told(spec(epochs=20), log, n_val=0, ended=False)] == [
        "The training loss is falling as it should.", "There are no validation items: these curves can't tell learning from memorising."]


def test_a_broken_loss_wants_a_tenth_of_the_rate() -> None:
    log = [*log_of([1.1, 3.0], [1.2, 5.0], [0.4, 0.4], end=""), Failed(BROKEN, "", "")]
    remark = told(spec("all", learning_rate=0.5), log)[0]
    assert "at learning rate 0.5 the steps were far too large" in remark.text.format(**remark.params)
    assert remark.change and remark.change.config and remark.change.config.learning_rate == 0.05
    assert "number" not in texts(told(spec("all"), [*log[:-1], Failed("The disk is full.", "", "")]))


def test_a_run_under_way_that_improves_is_told_so() -> None:
    log = log_of(curve(1.1, 0.4, 9), curve(1.1, 0.5, 9), curve(0.4, 0.8, 9), epochs=20, end="")
    assert [remark.text for remark in told(spec("last-stage", epochs=20), log, ended=False)] == ["Validation is improving steadily."]


def test_nothing_is_said_before_there_is_anything() -> None:
    for log in ([], [Started(400, 200, 0, 3, 10, 100, 5, 50, "cpu")]):
        assert told(spec(), log, ended=False) == []


def test_the_epochs_that_came_last_count_after_a_break() -> None:
    log = memorised()
    before = [replace(event, val_loss=5.0, val_score=0.1) if isinstance(event, EpochEnd) and event.epoch > 4 else event for event in log[:-1]]
    whole = before + [Resumed(4, 20)] + [event for event in log if not isinstance(event, Started) and getattr(event, "epoch", 99) > 4]
    assert told(spec("all", epochs=14), whole) == told(spec("all", epochs=14), log) and "memorising" in texts(told(spec("all", epochs=14), whole))


# ---- other objectives ----

def test_a_number_is_better_the_lower() -> None:
    run, errors = asked("regression", plan="last-stage", epochs=9), curve(12.0, 5.0, 9)
    assert "still improving" in told(run, log_of(curve(0.5, 0.1, 9), curve(0.5, 0.15, 9), errors, n_classes=1), chance=12.0)[0].text
    assert "Hardly anything" in told(run, log_of([0.5] * 9, [0.5] * 9, [12.0] * 9, n_classes=1), chance=12.0)[0].text
    wide = log_of(curve(0.5, 0.05, 9), [0.3] * 9, [8.0] * 9, train_scores=[3.0] * 9, n_classes=1)
    assert "The score is 3 in training and 8 in validation" in texts(told(run, wide, chance=12.0))
    assert "%" not in texts(told(run, wide, n_val=10, chance=12.0))


@pytest.mark.parametrize("objective, versions, score", [
    ("single_label", [Item("a", "a", 0, "train"), Item("b", "b", 0, "train"), Item("c", "c", 1, "train"), Item("d", "d", 0, "val"), Item("e", "e", 1, "val"),
                      Item("f", "f", 1, "val"), Item("g", "g", 1, "val")], 0.25),
    ("binary", [Item("a", "a", 0, "train"), Item("b", "b", 0, "val")], 0.5),
    ("multi_label", [Item("a", "a", 0, "train", labels=(0, 1)), Item("b", "b", 0, "train", labels=(0,)), Item("c", "c", 0, "train", labels=(0,)),
                     Item("d", "d", 0, "val", labels=(0,)), Item("e", "e", 1, "val", labels=(1,))], 0.5),
    ("regression", [Item("a", "a", 0, "train", value=1.0), Item("b", "b", 0, "train", value=3.0), Item("c", "c", 0, "val", value=5.0)], 3.0),
])
def test_the_same_answer_for_all(objective: str, versions: list[Item], score: float) -> None:
    version = Version(("x", "y"), tuple(versions), objective=objective)
    assert chance(version) == pytest.approx(score)
    assert chance(replace(version, items=tuple(item for item in versions if item.split == "train"))) is None


# ---- noise ----

@given(st.integers(4, 24), st.integers(10, 400), st.floats(0.5, 0.95), st.floats(0.2, 0.9), st.integers(0, 2**31), st.booleans())
def test_a_flat_noisy_curve_alarms_nobody(n: int, n_val: int, score: float, loss: float, seed: int, ended: bool) -> None:
    """Scores and losses that move by as much as chance makes them."""
    random = torch.Generator().manual_seed(seed)

    def around(value: float, error: float) -> list[float]:
        return (value + error * torch.randn(n, generator=random)).tolist()
    scores = [min(1.0, max(0.0, one)) for one in around(score, math.sqrt(score * (1 - score) / n_val))]
    train = [max(0.01, one) for one in around(loss, loss / math.sqrt(400))]
    log = log_of(train, [max(0.01, one) for one in around(loss, loss / math.sqrt(n_val))], scores, train_scores=[score] * n, n_val=n_val,
                 epochs=30, end="stopped" if ended else "")
    assert alarms(told(spec("last-stage", epochs=30), log, n_val=n_val, ended=ended)) == []


def test_noise_is_what_is_not_smooth() -> None:
    assert noise(curve(1.0, 0.9, 20)) < 1e-4 and noise([1.0, 0.9]) == 0
    random = torch.Generator().manual_seed(0)
    slope = (torch.linspace(5, 1, 400) + 0.1 * torch.randn(400, generator=random)).tolist()
    assert noise(slope) == pytest.approx(0.1, rel=0.2)


# ---- fits ----

def fits(val: Sequence[float], scores: Sequence[float], best: int, train_scores: Sequence[float], early: bool = False) -> tuple[RunSpec, list[Event]]:
    log = [replace(event, steps_per_epoch=1) if isinstance(event, Started) else event
           for event in log_of(curve(0.8, 0.01, len(val)), val, scores, train_scores=train_scores)]
    return spec("head", optimizer="lbfgs", epochs=40), [*log[:-1], Done(best, len(val), scores[best - 1], 1.0, early=early)]


def test_of_fits_the_chosen_one_is_told_and_a_turn_is_no_alarm() -> None:
    run, log = fits([0.7, 0.5, 0.45, 0.6, 0.8, 1.1], [0.7, 0.8, 0.85, 0.84, 0.83, 0.82], 3, curve(0.75, 0.9, 6), early=True)
    assert texts(told(run, log)) == "Fit 3 of 6 answered the validation items best and is kept: freer ones did no better."


def test_where_the_freest_fit_is_best_more_of_the_network_may_learn() -> None:
    run, log = fits([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [0.5, 0.55, 0.6, 0.65, 0.7, 0.75], 6, curve(0.5, 0.78, 6))
    remark = told(run, log)[0]
    assert "freest fit" in remark.text and remark.change and remark.change.plan and remark.change.config
    assert states(remark.change.plan) == ["stage 4", "head"] and remark.change.config.optimizer == "adamw" and remark.change.config.preset == "custom"


def test_a_fit_that_breaks_is_learned_in_steps() -> None:
    run, log = fits([0.9], [0.5], 1, [0.5])
    remark = told(run, [*log[:-1], Failed(BROKEN, "", "")])[0]
    assert remark.change and remark.change.config == replace(run.config, preset="custom", optimizer="adamw")


# ---- real runs ----

def few_with_random_labels() -> dict:
    def some(n: int, seed: int) -> Given:
        random = torch.Generator().manual_seed(seed)
        return Given(torch.randn(n, 3, 64, 64, generator=random), torch.randint(0, 2, (n,), generator=random))
    return {"train": some(24, 1), "val": some(60, 2), "test": some(0, 3)}


def real(run: RunSpec, folder: Path, data: dict) -> list[Remark]:
    return narrate(run, train(run, folder, data)[0], n_val=len(data["val"]), ended=True)


def test_a_real_run_on_random_labels_learns_by_heart(tmp_path: Path) -> None:
    remark = real(spec("head", epochs=25, learning_rate=1e-2), tmp_path, few_with_random_labels())[0]
    assert "learned by heart" in remark.text and remark.change and remark.change.config and remark.change.config.augmentation.active


@pytest.mark.parametrize("settings", [{"learning_rate": 10.0, "optimizer": "sgd"}, {"learning_rate": 3.0}])
def test_a_real_run_at_too_high_a_rate(settings: dict, tmp_path: Path) -> None:
    run = spec("head", epochs=8, **settings)
    remark = real(run, tmp_path, sides(60, 40))[0]
    assert "too high" in remark.text and remark.change and remark.change.config and remark.change.config.learning_rate < run.config.learning_rate / 2.9


def test_a_real_run_that_breaks(tmp_path: Path) -> None:
    run, log = spec("all", epochs=8, learning_rate=10.0, optimizer="sgd"), list[Event]()
    with pytest.raises(UserError) as broke:
        log.extend(training.fit(run, network(), sides(60, 40), 3, tmp_path, lambda: "go"))  # type: ignore[arg-type]
    failed = Failed(broke.value.title, broke.value.cause, broke.value.fix, broke.value.plain_params())
    assert "stopped being a number" in narrate(run, [*log, failed], n_val=40, ended=True)[0].text


@pytest.mark.parametrize("settings", [{"epochs": 8}, {"epochs": 40, "optimizer": "lbfgs"}])
def test_a_real_run_that_goes_well_alarms_nobody(settings: dict, tmp_path: Path) -> None:
    remarks = real(spec("head", **settings), tmp_path, sides(60, 40))
    assert remarks and alarms(remarks) == []


@pytest.mark.parametrize("plan, log", [("all", memorised), ("head", memorised), ("head", flat)])
def test_a_rerun_that_is_advised_can_be_trained(plan: str, log: Callable[[], list[Event]], tmp_path: Path) -> None:
    run = spec(plan, epochs=14, learning_rate=3e-3)  # type: ignore[arg-type]
    change = told(run, log())[0].change
    assert change
    config: TrainConfig = replace(change.config or run.config, epochs=1)
    again = replace(run, plan=change.plan or run.plan, config=config)
    assert isinstance(train(again, tmp_path, {"train": pictures([0, 1, 2] * 4), "val": pictures([0, 1, 2]), "test": pictures([])})[0][-1], Done)
