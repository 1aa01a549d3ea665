from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pytest

from core.preprocess import Preprocess, of_input


@dataclass(frozen=True, slots=True)
class Row:
    resize_size: int = 232
    input_size: int = 224
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = (0.5, 0.4, 0.3)
    std: tuple[float, float, float] = (0.2, 0.2, 0.2)


def test_a_row_gives_its_own_sizes() -> None:
    assert of_input(Row()) == Preprocess(232, 224, (0.5, 0.4, 0.3), (0.2, 0.2, 0.2), "bicubic")


@pytest.mark.parametrize("input_size, resized", [(112, 116), (448, 464), (32, 33)])
def test_another_input_size_crops_in_proportion(input_size: int, resized: int) -> None:
    made = of_input(Row(), input_size)
    assert (made.resize_size, made.input_size) == (resized, input_size)


def test_it_survives_json() -> None:
    made = of_input(Row())
    assert Preprocess.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_fields_can_be_read_by_name_like_a_dict() -> None:
    made = of_input(Row())
    assert {key: made[key] for key in asdict(made)} == asdict(made)


@pytest.mark.parametrize("sizes", [(100, 101), (100, 0)])
def test_a_crop_larger_than_the_picture_is_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="input_size must be between 1 and resize_size"):
        Preprocess(*sizes, (0, 0, 0), (1, 1, 1), "bilinear")
