"""Frozen means paid for once, also for items of different lengths: what is stored without padding trains like the plain loop."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from numpy import load
from torch import Tensor
from transformers import BertConfig

from core.bundle.reading import batch_of
from core.events import EpochEnd, Preparing
from core.models.blocks import Network, State
from core.models.randomness import own_randomness
from core.models.shares import outputs
from core.models.texts.architecture import rebuild
from core.models.texts.family import blocks_of
from core.specs import BlockPlan, DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig
from core.training import checkpoint
from core.training import fit as training
from core.training.order import batches_by_length, epoch_batches
from tests.core.training.learners import losses, of, report_every_step

STEPS, CLASSES = 30, 3


@dataclass(frozen=True, slots=True)
class Ids:
    """Texts as token ids: the label is what most of them are near."""
    rows: tuple[tuple[int, ...], ...]
    targets: Tensor
    window: int = 0

    @property
    def lengths(self) -> Tensor:
        return torch.tensor([len(row) for row in self.rows])

    @property
    def shas(self) -> tuple[str, ...]:
        return tuple(map(str, range(len(self.rows))))

    def __len__(self) -> int:
        return len(self.rows)

    changes = ""

    @property
    def content(self) -> str:
        return f"{self.rows} {self.window}"

    def inputs(self, idx: Tensor) -> State:
        ids, lengths = batch_of([self.rows[i] for i in idx.tolist()])
        return State(ids, lengths, self.window)

    def augmented(self, idx: Tensor, epoch: int) -> State:
        return self.inputs(idx)


def some(n: int, seed: int, longest: int, window: int = 0) -> Ids:
    draw = torch.Generator().manual_seed(seed)
    targets = torch.arange(n) % CLASSES
    lengths = torch.randint(3, longest + 1, (n,), generator=draw).tolist()
    rows = tuple(tuple((torch.randint(1, 15, (length,), generator=draw) + 15 * int(label)).tolist()) for length, label in zip(lengths, targets))
    return Ids(rows, targets, window)


def sides(longest: int = 12, window: int = 0) -> dict[str, Ids]:
    return {"train": some(44, 1, longest, window), "val": some(13, 2, longest, window), "test": some(0, 3, longest)}


def bert() -> Network:
    """Three layers with dropout, positions for 16 tokens."""
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, max_position_embeddings=16,
                        num_labels=CLASSES)
    with own_randomness(4):
        model = rebuild({"builder": "transformers", "config": config.to_dict(), "pooling": "first", "native": True, "scale": None})
    return Network(model, blocks_of(model))


def plan(net: Network, trained_from: int) -> FreezePlan:
    return FreezePlan(tuple(BlockPlan(block.name, "trained" if i >= trained_from else "frozen") for i, block in enumerate(net.blocks)))


def trained(net: Network, trained_from: int, data: dict[str, Ids], folder: Path, **settings: object) -> list:
    config = TrainConfig(**{"epochs": 5, "batch_size": 8, "schedule": "constant", **settings})  # type: ignore[arg-type]
    run = RunSpec("run1", "run", "local", 0.0, DataSpec("d", "v", "text"), ModelSpec("bert", False), plan(net, trained_from), config)
    checkpoint.forget(folder)
    return list(training.fit(run, net, data, CLASSES, folder, lambda: "go"))  # type: ignore[arg-type]


@pytest.mark.parametrize("window", [0, 8])
@pytest.mark.parametrize("trained_from", [1, 2, -1], ids=["after the embeddings", "after a layer", "head"])
def test_the_first_30_losses_are_those_of_the_plain_loop(trained_from: int, window: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report_every_step(monkeypatch)
    data, first = sides(22 if window else 12, window), trained_from % len(bert().blocks)
    logs = [trained(bert(), first, data, tmp_path, store_activations=store) for store in (True, False)]
    stored, plain = map(losses, logs)
    assert len(stored) == len(plain) == STEPS and len(set(plain)) == STEPS
    assert stored == pytest.approx(plain, rel=1e-4)
    assert [e.val_loss for e in of(logs[0], EpochEnd)] == pytest.approx([e.val_loss for e in of(logs[1], EpochEnd)], rel=1e-4)
    told = [event for event in of(logs[0], Preparing) if event.what == "storing"]
    assert bool(told) == (first > 1), "looking vectors up is not worth storing"
    assert not of(logs[1], Preparing)


def test_nothing_is_stored_for_padding(tmp_path: Path) -> None:
    data = sides()
    trained(bert(), 2, data, tmp_path, epochs=1)
    kept = {load(path).shape for path in (tmp_path / "activations").glob("*.npy")}
    assert kept == {(int(data["train"].lengths.sum()), 16), (int(data["val"].lengths.sum()), 16)}


def test_an_item_is_answered_alike_in_whatever_company() -> None:
    net, data = bert().eval(), some(40, 5, 12)
    everything = outputs(net, data.inputs(torch.arange(40))).x
    for i in range(0, 40, 7):
        assert outputs(net, data.inputs(torch.tensor([i]))).x[0] == pytest.approx(everything[i], abs=1e-5)


def test_batches_hold_every_item_once_and_items_of_like_length() -> None:
    data = replace(some(500, 6, 12))
    for epoch in (0, 1):
        batches = epoch_batches(data, 10, 3, epoch)
        assert sorted(torch.cat(batches).tolist()) == list(range(500)) and {len(batch) for batch in batches} == {10}
        padded = sum(int(data.lengths[batch].max()) * len(batch) for batch in batches)
        assert padded < 1.1 * int(data.lengths.sum())
    assert [b.tolist() for b in epoch_batches(data, 10, 3, 0)] == [b.tolist() for b in epoch_batches(data, 10, 3, 0)]
    assert [b.tolist() for b in epoch_batches(data, 10, 3, 0)] != [b.tolist() for b in epoch_batches(data, 10, 3, 1)]
    assert [b.tolist() for b in batches_by_length(data, 500)] == [torch.argsort(data.lengths, stable=True).tolist()]


def test_a_single_item_left_over_joins_the_batch_before() -> None:
    assert sorted(len(batch) for batch in epoch_batches(some(21, 7, 12), 10, 0, 0)) == [10, 11]


def test_a_text_longer_than_a_window_is_not_its_first_window(tmp_path: Path) -> None:
    """Else the comparison above would say nothing about windows."""
    net, long = bert().eval(), some(6, 8, 22, window=8)
    cut = Ids(tuple(row[:8] for row in long.rows), long.targets, 8)
    whole, start = (outputs(net, side.inputs(torch.arange(6))).x for side in (long, cut))
    differs = (long.lengths > 8) & ((whole - start).abs().amax(1) > 1e-4)
    assert torch.equal(differs, long.lengths > 8)
