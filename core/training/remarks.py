"""What curves show that went wrong, a rule each: a remark where its evidence is larger than chance, else None."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import hypot, sqrt
from statistics import fmean

from core.models.rows import ModelRow
from core.specs import RunSpec
from core.training import reruns
from core.training.curves import Curves, noise
from core.training.reruns import Advice

BROKEN = "The loss is no longer a number."
"""The title of that failure (`core.training.fit`)."""
FLAT, GAP, FAR = 0.05, 0.1, 3
"""A loss that has moved by less than that share; scores that are so far apart; a loss that is so many times that of guessing."""
LEAPS = 2
"""So many times the loss must leap up before it is no accident."""


@dataclass(frozen=True, slots=True)
class Remark:
    """`text` is a template of the translation catalogue, filled by `params`. `change`: what to change for a rerun, if anything."""
    text: str
    params: dict[str, str | int | float] = field(default_factory=dict)
    change: Advice | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell of. `row`: None where the model is gone. `chance`: the score of always giving the same answer, None where that
    is unknown. `at_once`: epochs are fits to all items."""
    run: RunSpec
    curves: Curves
    row: ModelRow | None
    chance: float | None
    at_once: bool
    ended: bool

    @property
    def n(self) -> int:
        """Epochs so far."""
        return len(self.curves.epochs)


Rule = Callable[[Told], Remark | None]


def broken(told: Told) -> Remark | None:
    if told.curves.failed is None or told.curves.failed.title != BROKEN:
        return None
    if told.at_once:
        return Remark("The loss stopped being a number: what the frozen part gives could not be fitted at once.", change=reruns.in_steps(told.run))
    rate = told.run.config.learning_rate
    return Remark("The loss stopped being a number: at learning rate {rate} the steps were far too large.", {"rate": f"{rate:g}"},
                  reruns.at_rate(told.run, rate / 10))


def rate_too_high(told: Told) -> Remark | None:
    curves, lower = told.curves, reruns.at_rate(told.run, told.run.config.learning_rate / 3)
    if _grows(curves):
        return Remark("The training loss grows instead of falling: the learning rate is too high.", change=lower)
    if told.n > 2 and fmean(curves.train_losses[-2:]) > FAR * curves.guessing_loss:
        return Remark("The training loss is far above what guessing would give: the learning rate is too high.", change=lower)
    if _leaps(told) >= LEAPS:
        return Remark("The training loss jumps up and down: the learning rate is too high.", change=lower)
    return None


def _grows(curves: Curves) -> bool:
    """Whether the last epochs, or until there are some the last steps, lie clearly above the start, and none has been clearly below it."""
    start, points = curves.start_loss, curves.train_losses
    if start is None:
        return False
    if len(points) >= 3:
        above = fmean(points[-2:]) - start
        return min(points) > 0.9 * start and above > max(0.25 * start, 5 * start / sqrt(curves.n_train), 0.1 * curves.guessing_loss)
    points = [step.loss for step in curves.steps]
    quarter = len(points) // 4
    if quarter < 2:
        return False
    above = fmean(points[-quarter:]) - 3 * noise(points) / sqrt(quarter) - start
    return min(points) > 0.9 * start and above > max(0.5 * start, 0.1 * curves.guessing_loss)


def _leaps(told: Told) -> int:
    """How often in the last epochs the training loss leapt up, but where blocks joined."""
    values, joins = told.curves.train_losses, {block.from_epoch for block in told.run.plan.blocks}
    pairs = [pair for epoch, pair in enumerate(zip(values, values[1:]), start=1) if epoch not in joins][-8:]
    floor, width = 0.1 * told.curves.guessing_loss, 3 / sqrt(told.curves.n_train)
    return sum(after - before > max(floor, 0.25 * before, width * before) for before, after in pairs)


def rose_at_first(told: Told) -> Remark | None:
    """Two whole epochs went by that were clearly worse than not to have begun."""
    curves, config = told.curves, told.run.config
    if told.n < 3 or config.class_weights:  # weights of rare labels make every loss larger
        return None
    if min(curves.train_losses[:2]) < (1.15 + 1 / sqrt(curves.n_train)) * curves.guessing_loss:
        return None
    return Remark("The training loss first rose above what guessing would give: the learning rate is too high.",
                  change=reruns.at_rate(told.run, config.learning_rate / 3))


def by_heart(told: Told) -> Remark | None:
    """Validation never left chance behind, and training did, by more than the difference of two sets of items."""
    curves = told.curves
    if not curves.validated or told.n < 3 or not _at_chance(told) or _learned(told) < 2 * _little(told):
        return None
    train, val = fmean(end.train_score for end in curves.epochs[-3:]), _reached(told)
    if curves.asked.signed(train) - val < 3 * hypot(curves.score_error(train, curves.n_train), curves.score_error(val)):
        return None
    return Remark("The training items are learned by heart: of the validation items no more are right than by always giving the same answer. "
                  "Look whether the labels fit the items." if curves.asked.percent else
                  "The training items are learned by heart: the validation items are answered no better than by always giving the mean. "
                  "Look whether the numbers fit the items.", change=_against_memorising(told)[1])


def hardly_learned(told: Told) -> Remark | None:
    """The scores are those of chance, and the loss nearly flat; of fits the scores alone tell, since each begins where the last one ended."""
    start = told.curves.start_loss
    if start is None or told.n < (2 if told.ended else 3) or not _at_chance(told) or _learned(told) > _little(told):
        return None
    if not told.at_once and told.curves.train_losses[-1] < (1 - FLAT) * start:
        return None
    why, change = _what_holds_it(told)
    return Remark(HARDLY[why], change=change)


def _at_chance(told: Told) -> bool:
    """Whether what is watched scores no better than always giving the same answer does."""
    if told.chance is None:
        return False
    return _reached(told) <= told.curves.asked.signed(told.chance) + told.curves.score_error(told.chance)


def _reached(told: Told) -> float:
    """The score, so that more is better: of the last epochs, or of the best fit."""
    return max(told.curves.scores) if told.at_once else fmean(told.curves.scores[-3:])


def _learned(told: Told) -> float:
    """By how much the training items are answered better than that."""
    assert told.chance is not None
    return told.curves.asked.signed(fmean(end.train_score for end in told.curves.epochs[-3:]) - told.chance)


def _little(told: Told) -> float:
    """So much of it is next to nothing."""
    assert told.chance is not None
    return max(GAP if told.curves.asked.percent else abs(told.chance) / 6, 2 * told.curves.score_error(told.chance, told.curves.n_train))


HARDLY = {
    "low": "Hardly anything is being learned: always giving the same answer would score as well. The learning rate is low.",
    "high": "Hardly anything is being learned: always giving the same answer would score as well. The learning rate is high.",
    "frozen": "Hardly anything is being learned: always giving the same answer would score as well. Too much may be frozen.",
    "": "Hardly anything is being learned: always giving the same answer would score as well. Look whether the labels fit the items.",
}


def _what_holds_it(told: Told) -> tuple[str, Advice | None]:
    run, row, rate = told.run, told.row, told.run.config.learning_rate
    if row and not told.at_once:
        usual = reruns.usual_rate(row, run)
        if rate < usual / 3:
            return "low", reruns.at_rate(run, min(usual, 10 * rate))
        if rate > 3 * usual:
            return "high", reruns.at_rate(run, rate / 3)
    thawed = reruns.thawed_more(row, run) if row else None
    if thawed:
        return "frozen", thawed
    return "", None if told.at_once else reruns.at_rate(run, 3 * rate)


def memorising(told: Told) -> Remark | None:
    """The validation loss has turned, and training went on; where the score still rises, it is only less sure of itself."""
    curves = told.curves
    if not curves.validated or told.n < 3:
        return None
    losses, train = curves.losses, curves.train_losses
    at = losses.index(min(losses))
    since = told.n - 1 - at
    if since < 2:
        return None
    low, doubt = (fmean(losses[max(0, at - 1):at + 2]), 1) if since > 2 else (losses[at], 2)  # the lowest of several is low by chance too
    late = min(3, since)
    rose = fmean(losses[-late:]) - low > doubt * max(FLAT * low, low / sqrt(curves.n_val), 3 * noise(losses), 0.01)
    fell = train[at] - fmean(train[-2:]) > max(0.1 * train[at], train[at] / sqrt(curves.n_train), 2 * noise(train))
    better = fmean(curves.scores[-late:]) - curves.scores[at] > curves.score_error(curves.scores[at])
    if not rose or not fell or better:
        return None
    how, change = _against_memorising(told)
    return Remark(MEMORISING[how], {"epoch": curves.epochs[at].epoch}, change or reruns.shorter(told.run, curves.epochs[at].epoch))


MEMORISING = {
    "freeze": "Validation stopped improving at epoch {epoch} while training went on: it is memorising. Freeze one more part, or stop earlier.",
    "change": "Validation stopped improving at epoch {epoch} while training went on: it is memorising. Pictures that change each time help, or "
              "stopping earlier.",
    "decay": "Validation stopped improving at epoch {epoch} while training went on: it is memorising. More weight decay helps a little, or "
             "stopping earlier.",
    "": "Validation stopped improving at epoch {epoch} while training went on: it is memorising. More items help, or stopping earlier.",
}


def _against_memorising(told: Told) -> tuple[str, Advice | None]:
    row, run = told.row, told.run
    if row and (change := reruns.frozen_more(row, run)):
        return "freeze", change
    if row and (change := reruns.changed_pictures(row, run)):
        return "change", change
    if not told.at_once and (change := reruns.more_decay(run)):
        return "decay", change
    return "", None


def gap(told: Told) -> Remark | None:
    """What was kept answers the training items much better."""
    curves, done = told.curves, told.curves.done
    kept = next((end for end in curves.epochs if done and end.epoch == done.best_epoch), None)
    if kept is None or kept.val_score is None or not curves.validated:
        return None
    train, val = curves.asked.signed(kept.train_score), curves.asked.signed(kept.val_score)
    error = hypot(curves.score_error(train, curves.n_train), curves.score_error(val))
    if train - val < max(GAP if curves.asked.percent else abs(train) / 2, 2 * error):
        return None
    change = _against_memorising(told)[1]
    if curves.asked.percent:
        return Remark("The score is {train} % in training and {val} % in validation: part of what was learned holds for the training items alone.",
                      {"train": round(100 * kept.train_score), "val": round(100 * kept.val_score)}, change)
    return Remark("The score is {train} in training and {val} in validation: part of what was learned holds for the training items alone.",
                  {"train": f"{kept.train_score:.3g}", "val": f"{kept.val_score:.3g}"}, change)
