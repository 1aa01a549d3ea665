"""What a run has stored serves the next one, if and only if it would compute the same."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from core.events import EpochEnd, Event, Preparing
from core.models.blocks import Network
from core.shelf import Shelf
from core.specs import Augmentation, Precision
from core.training import activations, checkpoint
from core.training import fit as training
from core.training.activations import BATCH
from tests.core.training.learners import Changed, Given, losses, network, of, report_every_step, same, sides, spec, state


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def train(shelf: Shelf, folder: Path, plan: str = "head", data: dict | None = None, net: Network | None = None, precision: Precision = "fp32",
          **settings: object) -> tuple[list[Event], Network]:
    net = net or network()
    run = spec(plan, **{"epochs": 2, **settings})  # type: ignore[arg-type]
    checkpoint.forget(folder)
    return list(training.fit(run, net, data or sides(), 3, folder, lambda: "go", precision, shelf)), net  # type: ignore[arg-type]


def computed(log: list[Event]) -> int:
    return of(log, Preparing)[-1].total if of(log, Preparing) else 0


def arrays(shelf: Shelf) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in shelf.folder.glob("*.npy")}


def test_another_rate_head_or_seed_computes_nothing_again(shelf: Shelf, tmp_path: Path) -> None:
    assert computed(train(shelf, tmp_path)[0]) == 44
    for other in ({"learning_rate": 0.1}, {"seed": 7}, {"epochs": 5}, {"class_weights": True}, {"optimizer": "sgd"}, {"batch_size": 4}):
        assert computed(train(shelf, tmp_path, **other)[0]) == 0
    assert computed(train(shelf, tmp_path, net=head_of(5))[0]) == 0


def head_of(n: int) -> Network:
    made = network()
    made.model.fc = torch.nn.Linear(512, n)
    return made


def test_it_ends_with_the_same_weights_as_without(shelf: Shelf, tmp_path: Path) -> None:
    first, second = train(shelf, tmp_path, "last-stage")[1], train(shelf, tmp_path, "last-stage")[1]
    assert same(state(first), state(second))


@pytest.mark.parametrize("change", ["weights", "statistics", "items", "order", "precision", "boundary"])
def test_whatever_changes_the_numbers_is_computed_anew(change: str, shelf: Shelf, tmp_path: Path) -> None:
    train(shelf, tmp_path)
    net, data, precision, plan = network(), sides(), "fp32", "head"
    with torch.no_grad():
        if change == "weights":
            net.model.conv1.weight[0, 0, 0, 0] += 1e-6
        elif change == "statistics":
            net.model.bn1.running_mean[0] += 1e-6
        elif change == "items":
            data["train"].x[3, 0, 0, 0] += 1e-6
        elif change == "order":
            data["train"] = Given(data["train"].x.flip(0), data["train"].targets.flip(0))
    if change == "precision":
        precision = "bf16"
    if change == "boundary":
        plan = "last-stage"
    expected = {"items": 32, "order": 32}.get(change, 44)
    assert computed(train(shelf, tmp_path, plan, data, net, precision)[0]) == expected  # type: ignore[arg-type]


def test_one_that_went_is_computed_again_to_the_same_bits(shelf: Shelf, tmp_path: Path) -> None:
    train(shelf, tmp_path, "last-stage")
    before = arrays(shelf)
    for name in list(before)[:1]:
        (shelf.folder / name).unlink()
    assert 0 < computed(train(shelf, tmp_path, "last-stage", seed=3, batch_size=5)[0]) < 44
    assert arrays(shelf) == before and len(before) == 2


def test_one_that_was_cut_short_is_computed_again(shelf: Shelf, tmp_path: Path) -> None:
    first = losses(train(shelf, tmp_path)[0])
    for path in shelf.folder.glob("*.npy"):
        os.truncate(path, path.stat().st_size - 1)
    log, _ = train(shelf, tmp_path)
    assert computed(log) == 44 and losses(log) == first


@pytest.mark.parametrize("wish", ["discard", "pause"])
def test_what_an_unfinished_run_had_stored_is_taken_up_by_the_next(shelf: Shelf, tmp_path: Path, wish: str) -> None:
    """And ends with the same bits as if it had been stored at once."""
    asked, data = iter(range(99)), sides(n_train=200)
    control = lambda: wish if next(asked) > 2 else "go"  # noqa: E731
    first = list(training.fit(spec("head", epochs=2), network(), data, 3, tmp_path, control, shelf=shelf))  # type: ignore[arg-type]
    assert not list(shelf.folder.glob("*.npy")) and len(list(shelf.folder.glob("*.part"))) == 2
    log, net = train(shelf, tmp_path, data=data)
    assert of(log, Preparing)[0].done == of(first, Preparing)[-1].done + BATCH and not list(shelf.folder.glob("*.part"))
    (tmp_path / "other").mkdir()
    whole, expected = train(Shelf(tmp_path / "other"), tmp_path, data=data)
    assert of(whole, Preparing)[0].done == 12 and same(state(net), state(expected))
    stored = [sorted(path.read_bytes() for path in folder.glob("*.npy")) for folder in (shelf.folder, tmp_path / "other")]
    assert stored[0] == stored[1]


def test_what_was_stored_is_brought_to_the_disk_now_and_then(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a process that is killed loses little."""
    monkeypatch.setattr(activations, "MARK_SECONDS", -1.0)
    monkeypatch.setattr(activations, "WORTH", 0)
    marks = list[int]()
    monkeypatch.setattr(Shelf, "mark", lambda self, draft, done: marks.append(done))
    train(shelf, tmp_path, data=sides(n_train=100))
    assert marks == [1, 1, 2, 3, 4], "validation items, then training items in batches"



def changed() -> dict:
    plain = sides()
    return plain | {"train": Changed(plain["train"].x, plain["train"].targets)}


def test_changed_items_are_stored_in_some_views_that_take_turns(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(monkeypatch)
    wish = {"augmentation": Augmentation(flip=True)}
    stored, _ = train(shelf, tmp_path, data=changed(), epochs=8, **wish)
    assert computed(stored) == 12 + 4 * 32
    plain, _ = train(shelf, tmp_path, data=changed(), epochs=8, store_activations=False, **wish)
    first_views, later = slice(0, 4 * 4), slice(4 * 4, None)
    assert losses(stored)[first_views] == pytest.approx(losses(plain)[first_views], rel=1e-4), "the first epochs are those of the plain loop"
    assert losses(stored)[later] != pytest.approx(losses(plain)[later], rel=1e-4)
    again, _ = train(shelf, tmp_path, data=changed(), epochs=16, **wish)
    assert computed(again) == 0 and losses(again)[:len(losses(stored))] == losses(stored), "a later run sees the same views in the same order"


def test_changed_items_are_not_stored_where_that_saves_nothing(shelf: Shelf, tmp_path: Path) -> None:
    assert computed(train(shelf, tmp_path, data=changed(), epochs=4, augmentation=Augmentation(flip=True))[0]) == 0


def test_what_was_calculated_in_bfloat16_is_stored_in_it(shelf: Shelf, tmp_path: Path) -> None:
    """But for rows of a few numbers. Scores are those of whole numbers within what the training itself leaves open."""
    found = {}
    for precision in ("fp32", "bf16"):
        log, _ = train(shelf, tmp_path, "last-stage", sides(side=128), precision=precision, epochs=3)  # type: ignore[arg-type]
        found[precision] = of(log, EpochEnd)[-1].val_loss
    sizes = sorted(path.stat().st_size for path in shelf.folder.glob("*.npy"))
    assert len(sizes) == 4 and sizes[2] > 1.9 * sizes[0], sizes
    assert found["bf16"] == pytest.approx(found["fp32"], rel=0.1)
