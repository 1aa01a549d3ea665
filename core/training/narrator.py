"""What the curves of a run show, in plain sentences, and what to change for a rerun. Torch-free: a function of the run's log.

A score of some items moves by chance, and so does a loss: what is said rests on differences that are larger (`core.training.curves`).
"""
from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean

from core.events import Event
from core.models.catalog import CATALOG
from core.models.rows import ModelRow
from core.objectives import objective
from core.specs import RunSpec
from core.training import remarks, reruns
from core.training.curves import Curves, ends, noise, read_curves
from core.training.presets import fitted_at_once
from core.training.remarks import FLAT, Remark, Rule, Told

FEW = 30
"""With fewer validation items each of them is a step of more than 3 % in the curve."""
PERFECT, LEAST = 0.98, 10
"""Nearly perfect, and of how many items that is worth saying."""
SLOW = 0.6
"""A share of the first loss that is much to be left with."""


def narrate(run: RunSpec, log: Sequence[Event], *, n_val: int, ended: bool, row: ModelRow | None = None, chance: float | None = None) -> list[Remark]:
    """What there is to say of a run, the most important first. Its log may still grow; `ended`: it won't. `row`: that of the run's model (else
    looked for in the catalog). `chance`: the validation score of always giving the same answer (`core.training.chance`; else that of
    guessing)."""
    curves, row = read_curves(log, objective(run.data.objective), n_val), row or CATALOG.get(run.model.key)
    at_once = fitted_at_once(row, run.plan, run.config) if row else run.config.optimizer == "lbfgs"
    at_once = at_once and (curves.started is None or curves.started.steps_per_epoch == 1)  # else there was no room for what is fitted to
    told = Told(run, curves, row, _guessing(curves) if chance is None else chance, at_once, ended)
    found = (next((remark for rule in one if (remark := rule(told))), None) for one in (OF_FITS if at_once else OF_EPOCHS))
    return [remark for remark in found if remark]


def _guessing(curves: Curves) -> float | None:
    return {"single_label": 1 / curves.started.n_classes, "binary": 0.5}.get(curves.asked.key) if curves.started else None


def _easy(told: Told) -> Remark | None:
    """Nearly perfect, where the same answer for all would not be."""
    if not _perfect(told):
        return None
    if told.curves.scores[0] >= PERFECT:
        return Remark("Nearly all validation items were answered right from the start: it is easy for this network, or they are near-copies of "
                      "training items.")
    return Remark("Nearly all validation items are answered right: there is little left to gain.")


def _perfect(told: Told) -> bool:
    curves = told.curves
    return (curves.validated and curves.asked.percent and told.chance is not None and curves.n_val >= LEAST
            and fmean(curves.scores[-3:]) >= PERFECT and told.chance < 1 - 3 * curves.score_error(told.chance))


def _slow(told: Told) -> Remark | None:
    """The loss falls in nearly every epoch and does not level off, but will not come far in those that are left."""
    curves = told.curves
    if curves.start_loss is None or told.n < 4:
        return None
    start, train = curves.start_loss, curves.train_losses
    falls = [before - after for before, after in zip(train, train[1:])]
    if told.row and told.run.config.learning_rate > 3 * reruns.usual_rate(told.row, told.run):
        return None  # what is slow then has been thrown off its way
    half, left = len(falls) // 2, 0 if told.ended else max(0, told.run.config.epochs - told.n)
    down, fell = sum(fall > 0 for fall in falls), start - train[-1]
    steadily = fell > 2 * noise(train) and (down >= 0.8 * len(falls) if fell > FLAT * start else down == len(falls) > 4)
    if not steadily or train[-1] - left * max(0.0, fmean(falls[half:])) < SLOW * max(start, curves.guessing_loss / 2):
        return None
    rates = _mean_rates(curves)
    early, late = (sum(falls[some]) / max(sum(rates[some]), 1e-12) for some in (slice(0, half), slice(half, None)))
    turned = curves.validated and curves.losses[-1] - min(curves.losses) > curves.loss_error(curves.losses)
    if late < 0.4 * early or turned:
        return None
    return Remark("The loss falls steadily, but very slowly: the learning rate can be higher.",
                  change=reruns.at_rate(told.run, (3 if fell > FLAT * start else 10) * told.run.config.learning_rate))


def _mean_rates(curves: Curves) -> list[float]:
    """Of each epoch but the first: a schedule that takes smaller steps makes a loss fall less without its levelling off."""
    by_epoch: dict[int, list[float]] = {}
    for step in curves.steps:
        by_epoch.setdefault(step.epoch, []).append(step.lr)
    return [fmean(by_epoch.get(end.epoch, [1.0])) for end in curves.epochs[1:]]


def _unfinished(told: Told) -> Remark | None:
    if not told.ended or not _improving(told.curves):
        return None
    done = told.curves.done
    if done and done.early:
        return Remark("The validation loss was still falling when its patience was over.", change=reruns.more_patience(told.run))
    if _score_is_level(told.curves):
        return Remark("The validation loss was still falling, but the score stayed level: more epochs would make it surer rather than better.")
    if done and not done.stopped:
        return Remark("It was still improving when its epochs were over.", change=reruns.longer(told.run))
    return Remark("It was still improving when it ended.")


def _improving(curves: Curves) -> bool:
    """Whether the last third of the epochs is better than the third before it, and none before was better still."""
    n = len(curves.epochs)
    if n < 2:
        return False
    k, losses, scores = max(1, n // 3), curves.losses, curves.scores
    (before, late), (worse, better) = ends(losses, k), ends(scores, k)
    error, sure = curves.score_error(better), 2 if k == 1 else 1  # single points tell less
    best = max(fmean(scores[i:i + k]) for i in range(n - k + 1))
    gained = before - late > sure * curves.loss_error(losses, k) or better - worse > sure * error
    return gained and better > best - error and losses.index(min(losses)) >= n - k


def _improves(told: Told) -> Remark | None:
    if told.ended or not _improving(told.curves):
        return None
    if not told.curves.validated:
        return Remark("The training loss is falling as it should.")
    if _score_is_level(told.curves):
        return Remark("The validation loss is still falling, while the score stays level.")
    return Remark("Validation is improving steadily.")


def _score_is_level(curves: Curves) -> bool:
    """Whether the last quarter of the epochs scores as the quarter before it did. Scores say little before there are six epochs, or without validation."""
    if not curves.validated or len(curves.epochs) < 6:
        return False
    worse, better = ends(curves.scores, max(2, len(curves.epochs) // 4))
    return better - worse <= curves.score_error(better) / 2


def _level(told: Told) -> Remark | None:
    """Of the later half of the epochs no part differs from the rest by more than chance."""
    curves = told.curves
    if not curves.validated or told.n < 4:
        return None
    k = max(2, told.n // 4)
    (before, late), (worse, better), (above, below) = (ends(some, k) for some in (curves.losses, curves.scores, curves.train_losses))
    if abs(before - late) > 2 * curves.loss_error(curves.losses, k) or abs(better - worse) > curves.score_error(better):
        return None
    if above - below > max(0.1 * above, above / sqrt(curves.n_train)):
        return Remark("In the last {n} epochs validation has stayed level while training went on: more epochs would bring little.", {"n": 2 * k})
    return Remark("In the last {n} epochs validation has stayed level: what still moves is chance.", {"n": 2 * k})


def _kept(told: Told) -> Remark | None:
    done = told.curves.done
    if done is None or done.early or not told.curves.validated:
        return None
    return Remark("Validation was best at epoch {best}, and that one is kept.", {"best": done.best_epoch})


def _patience(told: Told) -> Remark | None:
    done = told.curves.done
    if done is None or not done.early:
        return None
    return Remark("It stopped by itself after epoch {n}: none had scored better since epoch {best}, and that one is kept.",
                  {"n": done.epochs, "best": done.best_epoch})


def _joined(told: Told) -> Remark | None:
    """What the blocks that joined last have brought, once some epochs tell."""
    curves = told.curves
    joins = {block.from_epoch for block in told.run.plan.blocks if block.state != "frozen" and 0 < block.from_epoch <= told.n - 2}
    if not joins or not curves.validated or told.run.config.method == "contrastive":
        return None
    first = max(joins)  # epochs before it, and its index
    k = min(3, first, told.n - first)
    was, losses = slice(first - k, first), curves.losses
    gained = fmean(losses[was]) - fmean(losses[-k:])
    better = fmean(curves.scores[-k:]) - fmean(curves.scores[was])
    error = curves.score_error(fmean(curves.scores[was]))
    if better > error or (gained > curves.loss_error(losses, k) and better > -error):
        return Remark("In epoch {epoch} more of the network joined in, and validation has improved since.", {"epoch": first + 1})
    if told.n - first < 3:
        return None
    return Remark("In epoch {epoch} more of the network joined in. So far that has brought nothing that could not be chance.", {"epoch": first + 1},
                  reruns.without_late(told.run, first) if told.ended else None)


def _few(told: Told) -> Remark | None:
    n = told.curves.n_val
    if n >= FEW or not told.n:
        return None
    if not n:
        return Remark("There are no validation items: these curves can't tell learning from memorising.")
    if told.curves.asked.percent:
        return Remark("There are only {n} validation items: one answer more or less is a step of {step} % in the curve.",
                      {"n": n, "step": round(100 / n)})
    return Remark("There are only {n} validation items: small steps in the curve mean nothing.", {"n": n})


def _chosen(told: Told) -> Remark | None:
    """Which fit is kept, and what that says of how much the head may learn."""
    curves, done = told.curves, told.curves.done
    if done is None or not curves.validated:
        return None
    at = next((i for i, end in enumerate(curves.epochs) if end.epoch == done.best_epoch), None)
    if at is None or at < told.n - 1:
        return Remark("Fit {best} of {n} answered the validation items best and is kept: freer ones did no better.",
                      {"best": done.best_epoch, "n": told.n})
    last = curves.losses[-1]
    if _perfect(told) or done.early or done.stopped or told.n < 3 or curves.losses[-3] - last < 2 * curves.loss_error([last]):
        return None
    return Remark("The freest fit was the best one: there is more to learn than the head alone can.",
                  change=reruns.thawed_more(told.row, told.run) if told.row else None)


OF_EPOCHS: tuple[tuple[Rule, ...], ...] = (
    (remarks.broken, remarks.rate_too_high, remarks.by_heart, remarks.hardly_learned, _easy, remarks.memorising,
     remarks.rose_at_first, _slow, _unfinished, remarks.gap, _improves, _level, _kept),
    (_patience,), (_joined,), (_few,))
"""Of each group the first that has something to say: four remarks at most, and no two that contradict one another."""
OF_FITS: tuple[tuple[Rule, ...], ...] = (
    (remarks.broken, remarks.by_heart, remarks.hardly_learned, _easy, remarks.gap), (_chosen,), (_few,))
