"""What the log of a run says of its curves, and how far two points of one may lie apart by chance. Torch-free."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import fmean, median

from core.events import Done, EpochEnd, Event, Failed, Started, Step
from core.objectives import Objective

LEVEL = 0.03
"""A loss that moves by less than this share of itself stays where it is."""
MAD = 0.6745
"""The median of absolute deviations of normal noise, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Curves:
    """The points of a run in order, each step and epoch once, as it was made last. `n_val`: items behind each validation point."""
    asked: Objective
    n_val: int
    started: Started | None
    steps: tuple[Step, ...]
    epochs: tuple[EpochEnd, ...]
    done: Done | None
    failed: Failed | None

    @property
    def validated(self) -> bool:
        return bool(self.n_val and self.epochs) and all(end.val_loss is not None and end.val_score is not None for end in self.epochs)

    @property
    def n_train(self) -> int:
        return self.started.n_train if self.started else 1

    @property
    def n_watched(self) -> int:
        """Items behind each point of `losses` and `scores`."""
        return self.n_val if self.validated else self.n_train

    @property
    def train_losses(self) -> list[float]:
        return [end.train_loss for end in self.epochs]

    @property
    def losses(self) -> list[float]:
        """Of what the run is judged by: validation, or training where nothing is validated."""
        return [end.val_loss for end in self.epochs if end.val_loss is not None] if self.validated else self.train_losses

    @property
    def scores(self) -> list[float]:
        """Of the same, so that more is better."""
        of_val = [end.val_score for end in self.epochs if end.val_score is not None]
        return [self.asked.signed(score) for score in (of_val if self.validated else (end.train_score for end in self.epochs))]

    @property
    def start_loss(self) -> float | None:
        """Of training before much has been learned: the first that was reported."""
        return self.steps[0].loss if self.steps else self.epochs[0].train_loss if self.epochs else None

    @property
    def guessing_loss(self) -> float:
        """Of answering everything alike: at even odds, or with the mean of normally distributed numbers."""
        return {"single_label": log(max(2, self.started.n_classes if self.started else 2)), "regression": 0.4}.get(self.asked.key, log(2))

    def score_error(self, score: float, n: int | None = None) -> float:
        """One standard error of a score (signed or not) of `n` items (None: of those that are watched). Of a fraction, with one right and one
        wrong answer added, so that no score is certain (Agresti and Coull 1998); of a mean error, for errors as scattered as an exponential
        distribution's."""
        n, score = max(1, self.n_watched if n is None else n), abs(score)
        if not self.asked.percent:
            return score / sqrt(n)
        share = (min(1.0, score) * n + 1) / (n + 2)
        return sqrt(share * (1 - share) / n)

    def loss_error(self, losses: Sequence[float], k: int = 1) -> float:
        """By how much means of `k` points each of a loss may differ without meaning anything."""
        level = fmean(losses[-k:])
        return max(LEVEL * level, level / sqrt(self.n_watched) / 2, 2 * noise(losses) * sqrt(2 / k))


def read_curves(events: Sequence[Event], asked: Objective, n_val: int) -> Curves:
    """The curves of a log that may still grow. After a break, steps and epochs come again: what came last counts."""
    started, done, failed = None, None, None
    steps, epochs = list[Step](), list[EpochEnd]()
    for event in events:
        match event:
            case Started():
                started = event
            case Step():
                while steps and steps[-1].step >= event.step:
                    steps.pop()
                steps.append(event)
            case EpochEnd():
                while epochs and epochs[-1].epoch >= event.epoch:
                    epochs.pop()
                epochs.append(event)
            case Done():
                done = event
            case Failed():
                failed = event
    return Curves(asked, n_val, started, tuple(steps), tuple(epochs), done, failed)


def noise(values: Sequence[float]) -> float:
    """The standard deviation of what is not smooth in a curve, from its second differences, which have sqrt(6) of it (Gasser, Sroka and
    Jennen-Steinmetz 1986); by their median, so that one leap is no noise. 0 for fewer than four points, which tell nothing."""
    if len(values) < 4:
        return 0.0
    bends = [abs(a - 2 * b + c) for a, b, c in zip(values, values[1:], values[2:])]
    return median(bends) / MAD / sqrt(6)


def ends(values: Sequence[float], k: int) -> tuple[float, float]:
    """Means of the last `k` points and of the `k` before them."""
    return fmean(values[-2 * k:-k]), fmean(values[-k:])
