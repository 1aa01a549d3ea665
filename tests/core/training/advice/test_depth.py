"""A probe after every block: of the features that the network itself would pass on."""
from __future__ import annotations

import numpy as np
import pytest
import torch

from core.jobs.advice_items import prepare
from core.models.blocks import State
from core.models.catalog import find
from core.specs import TrainConfig
from core.training.advice.depth import advise
from core.training.advice.features import pooled
from core.training.advice.findings import Ask, Depths
from core.workspace import Workspace
from tests.core.training.advice.texts import add_texts


def test_every_block_but_the_head_is_probed_in_order(ws: Workspace) -> None:
    data, row = add_texts(ws), find("graft-words-lstm")
    found = [step for step in advise(ws, Ask(data, (row.key,), TrainConfig()), prepare) if isinstance(step, Depths)]
    names = [block.name for block in row.blocks[:-1]]
    assert [name for name, _score in found[-1].scores] == names and found[-1].whole and found[-1].n == 32
    assert [len(one.scores) for one in found] == [*range(1, len(names) + 1), len(names)]
    assert found[-1].scores[-1][1].value >= 0.8


@pytest.mark.parametrize(("shape", "expected"), [((2, 5), (2, 5)), ((2, 7, 4, 4), (2, 7)), ((2, 4, 4, 7), (2, 7)), ((2, 9, 7), (2, 7))],
                         ids=["rows", "maps", "maps, channels last", "tokens"])
def test_features_are_one_row_an_item(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    given = pooled(State(x))
    assert given.shape == expected
    assert given[0].mean() == pytest.approx(float(x[0].mean()), abs=1e-5)


def test_padding_is_no_part_of_a_texts_features() -> None:
    x = torch.zeros(2, 4, 3)
    x[0, :1], x[1] = 1.0, 2.0
    x[0, 1:] = 99.0
    assert np.array_equal(pooled(State(x, torch.tensor([1, 4]))), [[1, 1, 1], [2, 2, 2]])
