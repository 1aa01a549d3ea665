"""What each block of a network costs here, from a few timed passes over made-up items.

A pass is timed block by block: forward by the clock between blocks, backward by the moments at which the gradients of what blocks gave
arrive. Three kinds are enough: everything learns; nothing does, but gradients pass; thin adapters learn.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import Tensor

from core.data.split import Split
from core.models.adaptable import layers
from core.models.blocks import Block, Network, State
from core.models.shares import RAGGED_SHARE, SHARE, cores, outputs
from core.specs import BlockPlan, FreezePlan, Precision, TrainConfig
from core.training.activations import stored_dtype
from core.training.costs import BlockCost, Costs
from core.training.losses import LOSSES
from core.training.memory import own_bytes, watched
from core.training.optim import build_optimizer

LEARNING_S = 1.6
"""About so long the passes with gradients may take together, unless a few items take longer."""
PASSES = 9.0
"""What the three kinds of passes cost together, in forward passes without gradients."""
LEAST_ITEMS, REPEATS, MANY, QUICK_S = 2, 3, 9, 0.25
"""Fewest items in a pass; times that a pass is timed, and one that is little work; what counts as quick without gradients."""
COPIES = 4
"""Of a block's weights, while it trains by AdamW: gradient, two means of it, and the weights of the best epoch."""
BESIDES = 70e6
"""Memory that a run takes besides, for reading, judging and packing."""
ROOM = 1.7
"""Memory of a training step, as a multiple of what is held for its gradients: these gradients on their way, what libraries work in, and
what the system's allocator keeps."""
Watch = Callable[[int, float, State], State]
"""Told of a block's place, its seconds, and what it gave; says what is passed on."""


def compute_as_runs_do() -> None:
    """For the whole process, which should have nothing else to do: numbers below 1e-38 become zero, as in the process of a run."""
    torch.set_flush_denormal(True)


def probe(network: Network, items: Split, batch_size: int, precision: Precision) -> Costs:
    """Measure a network with its first `batch_size` of made-up items, or as many as time allows. Afterwards it has thin adapters beside
    what can be adapted, and other weights than before: throw it away."""
    base = own_bytes() + BESIDES
    weights = [sum(p.numel() for p in network.parameters_of(block).values()) for block in network.blocks]
    network.precision = precision
    network.to(memory_format=torch.channels_last)
    forward = _forward(network, items)
    n = _affordable(sum(forward.seconds), min(batch_size, len(items)))
    batch = items.inputs(torch.arange(n))
    network.train()
    network.freeze([block.name for block in network.blocks])
    full = _learning(network, batch, precision)
    update = [_update_seconds(network, k) for k in range(len(network.blocks))]
    _let_go(network)
    network.freeze(())
    passing = _learning(network, batch, precision, first=0)  # none are owed to items
    small = _small(network, items.inputs(torch.arange(min(batch_size, len(items)))), precision)
    full, passing = full.behind(small.full), passing.behind(small.passing)
    update[-len(small.update):] = small.update
    adapted = _adapted(network, batch, precision)
    blocks = tuple(BlockCost(
        forward.seconds[k], full.forward[k], passing.backward[k], max(0.0, full.backward[k] - passing.backward[k]), ROOM * full.held[k],
        adapter_s=max(0.0, adapted.forward[k] + adapted.backward[k] - full.forward[k] - passing.backward[k]) if adapted else 0.0,
        passed_bytes=ROOM * passing.held[k], adapted_bytes=ROOM * adapted.held[k] if adapted else 0.0, kept_bytes=forward.kept[k],
        update_s=update[k], state_bytes=COPIES * 4 * weights[k], bare=not weights[k], lookup=block.lookup)
        for k, block in enumerate(network.blocks))
    return Costs(blocks, small.step_s, base, True, forward.bytes, _feed_seconds(items.inputs, n))


@dataclass(frozen=True, slots=True)
class _Forward:
    """By block: seconds an item, and bytes of what it gives of one. `bytes`: what a pass took in memory."""
    seconds: list[float]
    kept: list[float]
    bytes: float


def _forward(network: Network, items: Split) -> _Forward:
    """Without gradients, every core with a share of the items."""
    n = min(len(items), cores() * (SHARE if items.lengths is None else RAGGED_SHARE))
    batch = items.inputs(torch.arange(n))
    network.freeze(())
    network.eval()
    kept, spent, walls = [0.0] * len(network.blocks), [0.0] * len(network.blocks), list[float]()

    def seen(k: int, seconds: float, state: State) -> State:
        spent[k] += seconds
        kept[k] = stored_dtype(network.precision, state).itemsize * state.x.numel() / len(state)
        return state
    with watched(0.002) as peak, _watched_blocks(network, seen):
        before = own_bytes()
        while len(walls) < REPEATS + 1 and (len(walls) < 2 or walls[-1] < QUICK_S) and sum(walls) < 2 * LEARNING_S:
            began = time.perf_counter()
            outputs(network, batch)
            walls.append(time.perf_counter() - began)
    wall = median(walls[1:] or walls) / n  # the first one also prepares
    return _Forward([wall * s / sum(spent) for s in spent], kept, max(0, peak.bytes - before))


@dataclass(frozen=True, slots=True)
class _Learning:
    """By block and item: seconds of the forward pass, seconds of the backward pass, bytes held from the one to the other."""
    forward: list[float]
    backward: list[float]
    held: list[float]

    def behind(self, other: _Learning) -> _Learning:
        """With the other's last blocks in the place of these."""
        k = len(self.held) - len(other.held)
        return _Learning(self.forward[:k] + other.forward, self.backward[:k] + other.backward, self.held[:k] + other.held)


@dataclass(frozen=True, slots=True)
class _Small:
    """The head, or a whole network that else only looks vectors up: what trains on one thread when it trains alone (`core.training.fit`)."""
    full: _Learning
    passing: _Learning
    update: list[float]
    step_s: float


def _small(network: Network, batch: State, precision: Precision) -> _Small:
    large = [k for k, block in enumerate(network.blocks[:-1]) if not block.lookup and network.parameters_of(block)]
    start, blocks, threads = len(network.blocks) - 1 if large else 0, network.blocks, torch.get_num_threads()
    given = outputs(network, batch, start) if start else batch
    if given.x.is_floating_point():
        given = State(given.x.clone(), given.lengths, given.window)  # what is given without gradients can't take part in them
    torch.set_num_threads(1)
    network.blocks = blocks[start:]
    try:
        network.freeze([block.name for block in network.blocks])
        full = _learning(network, given, precision, repeats=MANY)
        update = [_update_seconds(network, k) for k in range(len(network.blocks))]
        _let_go(network)
        network.freeze(())
        passing = _learning(network, given, precision, first=0, repeats=MANY) if len(network.blocks) > 1 else _nothing(1)
        return _Small(full, passing, update, _step_seconds(len(batch)))
    finally:
        network.blocks = blocks
        torch.set_num_threads(threads)


def _nothing(n_blocks: int) -> _Learning:
    return _Learning([0.0] * n_blocks, [0.0] * n_blocks, [0.0] * n_blocks)


def _learning(network: Network, batch: State, precision: Precision, first: int = -1, repeats: int = REPEATS) -> _Learning:
    """Passes with gradients, as in training. `first`: the block behind which they begin though nothing learns; -1: they need no help."""
    n = len(batch)
    few = _some(batch, max(1, n // 2) if n > LEAST_ITEMS else n)
    held = [each / len(few) for each in _held_bytes(network, few, first)]
    if precision == "bf16" and len(few) < n:  # copies of weights are held too, whatever the number of items
        more = _held_bytes(network, batch, first)
        held = [max(0.0, b - a * len(few)) / (n - len(few)) for a, b in zip(held, more)]
    timed = [_timed(network, batch, first) for _ in range(repeats if n > LEAST_ITEMS else 1)]
    forward, backward = ([median(times) / n for times in zip(*kind)] for kind in zip(*timed))
    return _Learning(forward, backward, held)


def _timed(network: Network, batch: State, first: int) -> tuple[list[float], list[float]]:
    """Seconds of each block in one pass, forward and backward."""
    forward, arrived = [0.0] * len(network.blocks), dict[int, float]()
    _let_go(network)  # as in training, where gradients are not added to those of the step before

    def seen(k: int, seconds: float, state: State) -> State:
        forward[k] += seconds
        if k == first:
            state = state.then(state.x.detach().requires_grad_())
        if state.x.requires_grad:
            state.x.register_hook(lambda gradient: arrived.setdefault(k, time.perf_counter()) and None)
        return state
    with _watched_blocks(network, seen):
        loss = network.run(batch).x.float().square().mean()
    loss.backward()
    ended = time.perf_counter()
    backward = [0.0] * len(network.blocks)
    for k in sorted(arrived):  # gradients arrive from the last block to the first
        backward[k], ended = max(0.0, ended - arrived[k]), arrived[k]
    return forward, backward


def _held_bytes(network: Network, batch: State, first: int) -> list[float]:
    """What each block leaves in memory until its gradients are there, weights apart. A whole step, which also prepares the timed ones."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    held, waiting, seen_already = [0.0] * len(network.blocks), list[Tensor](), set(weights)

    def pack(tensor: Tensor) -> Tensor:
        if tensor.layout == torch.strided and tensor.untyped_storage().data_ptr() not in seen_already:
            seen_already.add(tensor.untyped_storage().data_ptr())
            waiting.append(tensor)
        return tensor.detach()  # the tensor itself would hold what holds it

    def seen(k: int, seconds: float, state: State) -> State:
        held[k] += sum(tensor.untyped_storage().nbytes() for tensor in waiting)
        waiting.clear()
        return state.then(state.x.detach().requires_grad_()) if k == first else state
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), _watched_blocks(network, seen):
        loss = network.run(batch).x.float().square().mean()
    loss.backward()
    return held


def _adapted(network: Network, batch: State, precision: Precision) -> _Learning | None:
    """With adapters beside every block that can have some, but the last; None where none can."""
    chosen = [block.name for block in network.blocks[:-1] if layers(network, block)]
    if not chosen:
        return None
    from core.models.lora import adapt  # here: the library behind it takes seconds

    adapt(network, FreezePlan(tuple(BlockPlan(block.name, "lora" if block.name in chosen else "frozen") for block in network.blocks)), TrainConfig())
    network.train()
    network.freeze(chosen)
    measured = _learning(network, batch, precision)
    _let_go(network)
    return measured


def _update_seconds(network: Network, k: int) -> float:
    """Of an optimizer's step on a block whose gradients are there, but not the first, which makes room."""
    plan = FreezePlan(tuple(BlockPlan(block.name, "trained" if i == k else "frozen") for i, block in enumerate(network.blocks)))
    if not any(p.grad is not None for p in network.parameters_of(network.blocks[k]).values()):
        return 0.0
    optimizer = build_optimizer(network, plan, TrainConfig(learning_rate=1e-8))
    optimizer.step()
    return median(_seconds(optimizer.step) for _ in range(REPEATS))


def _step_seconds(batch_size: int) -> float:
    """Of what a step does besides the network: loss, score, order."""
    loss, logits = LOSSES["single_label"], torch.randn(batch_size, 5, requires_grad=True)
    targets = torch.zeros(batch_size, dtype=torch.long)
    terms = loss.terms(targets, 5)

    def step() -> None:
        loss.loss(logits, targets, terms).backward()
        loss.counts(logits.detach(), targets)
    step()
    return median(_seconds(step) for _ in range(REPEATS))


def _feed_seconds(feed: Callable[[Tensor], State], n: int) -> float:
    feed(torch.arange(n))
    return median(_seconds(lambda: feed(torch.arange(n))) for _ in range(REPEATS)) / n


def _affordable(forward_s: float, most: int) -> int:
    return min(most, max(LEAST_ITEMS, int(LEARNING_S / (PASSES * (REPEATS + 0.5) * max(forward_s, 1e-9)))))


def _some(batch: State, n: int) -> State:
    return State(batch.x[:n].clone(), None if batch.lengths is None else batch.lengths[:n], batch.window)


def _let_go(network: Network) -> None:
    for parameter in network.parameters():
        parameter.grad = None


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


@contextmanager
def _watched_blocks(network: Network, seen: Watch) -> Iterator[None]:
    """Inside, `seen` is told of each block that has run."""
    def watched_block(k: int, block: Block) -> Block:
        def forward(state: State) -> State:
            began = time.perf_counter()
            given = block.forward(state)
            return seen(k, time.perf_counter() - began, given)
        return replace(block, forward=forward)
    own = network.blocks
    network.blocks = tuple(watched_block(k, block) for k, block in enumerate(own))
    try:
        yield
    finally:
        network.blocks = own
