"""What a probe counts is exact; how many seconds it finds is the machine's affair."""
from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

from core.models.blocks import Block, Network
from core.training.costs import Costs, epoch_seconds, peak_bytes
from core.training.memory import own_bytes, watched
from core.training.probe import ROOM, probe
from tests.core.training.learners import network, pictures


def layered() -> Network:
    """Three blocks: 8 numbers -> 16 -> 32 -> 5."""
    model = nn.ModuleDict({"a": nn.Linear(8, 16), "b": nn.Sequential(nn.Linear(16, 32), nn.ReLU()), "head": nn.Linear(32, 5)})
    return Network(model, [Block(name, name, (name,), lambda state, name=name: state.then(model.get_submodule(name)(state.x))) for name in model])


class Rows:
    """Items of 8 numbers."""
    lengths, shas = None, ("",) * 12
    targets = torch.zeros(12, dtype=torch.long)

    def __len__(self) -> int:
        return 12

    def inputs(self, idx: torch.Tensor):
        from core.models.blocks import State
        return State(torch.rand(12, 8)[idx])

    augmented = inputs


@pytest.fixture(scope="module")
def small() -> Costs:
    return probe(layered(), Rows(), 8, "fp32")  # type: ignore[arg-type]


def test_what_a_block_holds_is_what_its_gradients_need(small: Costs) -> None:
    assert [block.held_bytes / ROOM for block in small.blocks] == [4 * 8, 4 * (16 + 32), 4 * 32], "what enters a layer, and where ReLU bends"
    assert [block.passed_bytes / ROOM for block in small.blocks] == [0, 4 * 32, 0], "without gradients to weights no layer needs what enters it"


def test_adapters_need_what_enters_their_layers_besides(small: Costs) -> None:
    assert all(adapted.adapted_bytes > passed.passed_bytes for adapted, passed in zip(small.blocks[:2], small.blocks[:2]))
    assert small.blocks[2].adapted_bytes == 0, "the head is new and has none"


def test_what_a_block_gives_and_what_its_weights_take_is_counted(small: Costs) -> None:
    assert [block.kept_bytes for block in small.blocks] == [4 * 16, 4 * 32, 4 * 5]
    assert [block.state_bytes for block in small.blocks] == [16 * (8 * 16 + 16), 16 * (16 * 32 + 32), 16 * (32 * 5 + 5)]


def test_every_block_of_a_real_network_takes_time_and_memory() -> None:
    net = network()
    weights = sum(p.numel() for p in net.parameters())
    found = probe(net, pictures([0, 1, 2, 0], seed=1), 4, "fp32")
    *trunk, pool, head = found.blocks
    assert found.measured and found.base_bytes > 4 * weights and found.step_s > 0 and found.item_s > 0
    assert all(min(b.forward_s, b.learn_s, b.held_bytes, b.kept_bytes, b.state_bytes, b.adapted_bytes, b.update_s) > 0 for b in trunk)
    assert all(b.inputs_s > 0 for b in trunk[1:]) and not any(b.lookup for b in found.blocks)
    assert head.state_bytes < pool.kept_bytes * 16 and pool.state_bytes == 0
    states = {"head": ["frozen"] * 6 + ["trained"], "all": ["trained"] * 7}
    assert epoch_seconds(found, states["head"], 100, 20, 4, 6) < epoch_seconds(found, states["all"], 100, 20, 4, 0)
    assert peak_bytes(found, states["head"], 64) < peak_bytes(found, states["all"], 64)


def test_a_peak_is_seen_though_it_is_over() -> None:
    gc.collect()
    before = own_bytes()
    with watched() as peak:
        some = bytearray(200_000_000)
        for i in range(0, len(some), 4096):
            some[i] = 1
        peak.look()
        del some
    assert peak.bytes > before + 150e6
