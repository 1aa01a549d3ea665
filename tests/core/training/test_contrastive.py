from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.errors import UserError
from core.events import Discarded, Done, EpochEnd, Preparing
from core.models.catalog import find
from core.specs import FreezePlan
from core.training import contrastive
from core.training.contrastive import pairs_of
from core.training.pairs import MOST_PER_LABEL, PAIRS_A_STEP, ROUNDS, head_alone, n_pairs
from core.training.presets import PRESETS, plan_for, presets_for
from tests.core.training.learners import network, of, sides, spec, state, train


def test_pairs_are_half_alike_and_say_so_truly() -> None:
    targets = torch.tensor([0, 0, 0, 1, 1, 2])
    pairs, alike = pairs_of(targets, seed=3)
    assert len(pairs) == len(alike) == 2 * ROUNDS * len(targets) == n_pairs(len(targets))
    assert torch.equal(targets[pairs[:, 0]] == targets[pairs[:, 1]], alike.bool()) and alike.mean() == 0.5


def test_the_same_seed_makes_the_same_pairs() -> None:
    targets = torch.arange(12) % 3
    assert torch.equal(pairs_of(targets, 1)[0], pairs_of(targets, 1)[0]) and not torch.equal(pairs_of(targets, 1)[0], pairs_of(targets, 2)[0])


def test_of_a_common_label_only_some_items_take_part() -> None:
    targets = torch.cat([torch.zeros(200, dtype=torch.int64), torch.ones(10, dtype=torch.int64)])
    pairs, _alike = pairs_of(targets, 0)
    assert len(set(pairs[targets[pairs[:, 0]] == 0][:, 0].tolist())) <= MOST_PER_LABEL


def test_one_label_alone_makes_pairs_of_it(tmp_path: Path) -> None:
    _pairs, alike = pairs_of(torch.zeros(4, dtype=torch.int64), 0)
    assert alike.all()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "MOST_PAIRS", 6 * PAIRS_A_STEP)


def test_pairs_teach_the_trunk_and_labels_the_head(quick: None, tmp_path: Path) -> None:
    net = network()
    before, run = state(net), spec("last-stage", method="contrastive", epochs=2)
    log, net = train(run, tmp_path, sides(12, 6), net)
    told = [event for event in of(log, Preparing) if event.what == "pairing"]
    assert [event.done for event in told] == [1, 2, 3, 4, 5, 6] and {event.total for event in told} == {6}
    assert len(of(log, EpochEnd)) == 2 and type(log[-1]) is Done
    changed = {name for name, tensor in state(net).items() if not torch.equal(tensor, before[name])}
    assert any(name.startswith("layer4.") for name in changed) and any(name.startswith("fc.") for name in changed)
    assert not any(name.startswith(("conv1", "layer1", "layer2", "layer3")) for name in changed)


def test_pairs_bring_items_of_one_label_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrastive, "MOST_PAIRS", 12 * PAIRS_A_STEP)
    data, net = sides(12, 0), network()

    def gap() -> float:
        with torch.no_grad():
            said = torch.nn.functional.normalize(net.eval().run(data["train"].inputs(torch.arange(12)), 0, len(net.blocks) - 1).x)
        same = data["train"].targets[:, None] == data["train"].targets[None]
        cosines = said @ said.T
        return float(cosines[same].mean() - cosines[~same].mean())
    before = gap()
    for _event in contrastive.tune(spec("last-stage", learning_rate=3e-3, method="contrastive"), net, data["train"], lambda: ""):
        pass
    assert gap() > before + 0.05


def test_the_user_can_end_it_between_two_pairs(quick: None, tmp_path: Path) -> None:
    log, _net = train(spec("all", method="contrastive"), tmp_path, sides(6, 3), control=lambda: "discard")
    assert type(log[-1]) is Discarded and len(of(log, Preparing)) == 1


def test_a_head_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="teach nothing"):
        train(spec("head", method="contrastive"), tmp_path)


def test_afterwards_the_head_trains_alone() -> None:
    row = find("graft-resnet10")
    late = head_alone(FreezePlan(tuple(replace(block, from_epoch=3) for block in plan_for(row, "all").blocks)))
    assert late.trained() == late.trained_at(0) == ("head",)


def test_the_preset_is_for_a_few_examples_and_for_networks_that_know_something() -> None:
    resnet, words = find("graft-resnet10"), find("graft-words")
    assert presets_for(resnet, 64) == (*PRESETS, "few") and presets_for(resnet, 65) == PRESETS and presets_for(words, 8) == PRESETS
