from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.specs import Augmentation
from core.tasks.augment import augment

EVERYTHING = Augmentation(flip=True, rotation_deg=20, shift=0.1, shear_deg=10, zoom=0.2, colour=0.5)


def pictures(n: int = 6, side: int = 48, seed: int = 0) -> Tensor:
    """Smooth ones, (n, 3, side, side) uint8: after a small move they still resemble themselves."""
    small = torch.rand(n, 3, 5, 5, generator=torch.Generator().manual_seed(seed)) * 255
    return torch.nn.functional.interpolate(small, (side, side), mode="bicubic").clamp(0, 255).to(torch.uint8)


def change(how: Augmentation, x: Tensor, seeds: Sequence[int]) -> Tensor:
    before = x.clone()
    out = augment(x, how, seeds)
    assert torch.equal(x, before), "the original is left alone"
    assert out.shape == x.shape and out.dtype == torch.uint8
    return out


@pytest.mark.parametrize("how", [EVERYTHING, replace(EVERYTHING, fill="white"), Augmentation(colour=1.0), Augmentation(flip=True)])
def test_a_picture_depends_on_its_own_seed_alone(how: Augmentation) -> None:
    x, seeds = pictures(12, 200), [5, 99, 2**40, 0, 7, 8, 12345678901, 3, 1, 2, 4, 6]
    together = change(how, x, seeds)
    for order in (range(12), reversed(range(12))):
        assert all(torch.equal(change(how, x[i:i + 1], [seeds[i]])[0], together[i]) for i in order)
    turned = [3, 1, 0, 2, 11, 10, 9, 8, 7, 6, 5, 4]
    assert torch.equal(change(how, x[turned], [seeds[i] for i in turned]), together[turned])


def test_another_seed_changes_it_otherwise_and_the_global_generator_has_no_say() -> None:
    x = pictures(1).expand(8, -1, -1, -1)
    torch.manual_seed(1)
    first = change(EVERYTHING, x, range(8))
    drawn = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), drawn), "nothing is drawn from the process's own generator"
    assert torch.equal(change(EVERYTHING, x, range(8)), first)
    assert len({picture.numpy().tobytes() for picture in first}) == 8


def test_switched_off_it_changes_nothing() -> None:
    x = pictures()
    assert torch.equal(change(Augmentation(), x, range(6)), x)


@pytest.mark.parametrize("how", [Augmentation(flip=True), Augmentation(rotation_deg=30), Augmentation(shift=0.2),
                                 Augmentation(shear_deg=20), Augmentation(zoom=0.4), Augmentation(colour=0.8)])
def test_each_option_alone_has_an_effect(how: Augmentation) -> None:
    x = pictures(8)
    changed = [not torch.equal(picture, original) for picture, original in zip(change(how, x, range(8)), x)]
    assert any(changed) and (all(changed) or how.flip)


def test_a_flip_is_the_mirror_image_in_about_half_of_all_cases() -> None:
    x = pictures(200, 16)
    out = change(Augmentation(flip=True), x, range(200))
    mirrored = [torch.equal(picture, original.flip(-1)) for picture, original in zip(out, x)]
    assert all(torch.equal(picture, original) for picture, original, turned in zip(out, x, mirrored) if not turned)
    assert 70 < sum(mirrored) < 130


def dot(row: int = 31, column: int = 31, side: int = 64) -> Tensor:
    """A white square of 4 pixels on black, its middle at (row + 0.5, column + 0.5)."""
    x = torch.zeros(1, 3, side, side, dtype=torch.uint8)
    x[:, :, row - 1:row + 3, column - 1:column + 3] = 255
    return x


def middle(picture: Tensor) -> Tensor:
    """(row, column) of the centre of mass."""
    weight = picture[0].float()
    rows, columns = torch.meshgrid(*(torch.arange(n).float() for n in weight.shape), indexing="ij")
    return torch.stack([(rows * weight).sum(), (columns * weight).sum()]) / weight.sum()


def test_a_shift_moves_by_up_to_its_fraction_both_ways() -> None:
    moved = torch.stack([middle(change(Augmentation(shift=0.25, fill="black"), dot(), [seed])[0]) for seed in range(60)]) - 31.5
    assert (moved[:, 0] - moved[:, 1]).abs().max() > 8, "each way for itself"
    assert moved.abs().max() <= 16.1 and (moved.max(0).values > 8).all() and (moved.min(0).values < -8).all()


def test_a_rotation_turns_by_up_to_its_angle_both_ways_about_the_middle() -> None:
    how = Augmentation(rotation_deg=90, fill="black")
    arms = torch.stack([middle(change(how, dot(row=31, column=51), [seed])[0]) for seed in range(40)]) - 31.5
    angles = torch.rad2deg(torch.atan2(arms[:, 0], arms[:, 1]))
    assert torch.allclose(arms.norm(dim=1), torch.tensor(20.0), atol=0.6), "the distance from the middle stays"
    assert angles.abs().max() <= 92 and angles.max() > 45 and angles.min() < -45


def test_turned_and_mirrored_a_picture_keeps_its_shape() -> None:
    how = Augmentation(rotation_deg=90, flip=True, fill="black")
    right, below = (torch.stack([middle(change(how, dot(*place), [seed])[0]) for seed in range(40)]) - 31.5
                    for place in ((31, 51), (51, 31)))
    assert all(torch.allclose(arm.norm(dim=1), torch.tensor(20.0), atol=0.6) for arm in (right, below))
    assert (right * below).sum(1).abs().max() < 25, "at right angles still"
    turn = right[:, 0] * below[:, 1] - right[:, 1] * below[:, 0]
    assert (turn > 0).any() and (turn < 0).any(), "some are mirrored"


def test_a_zoom_enlarges_and_reduces_both_sides_alike() -> None:
    big = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    big[:, :, 22:42, 22:42] = 255
    sizes = [(change(Augmentation(zoom=0.5, fill="black"), big, [seed])[0, 0] > 127).float() for seed in range(40)]
    widths, heights = ([round(size.amax(axis).sum().item()) for size in sizes] for axis in (0, 1))
    assert all(abs(width - height) <= 1 for width, height in zip(widths, heights))
    assert 9 <= min(widths) < 16 and 24 < max(widths) <= 31


def test_a_shear_slants_and_keeps_the_rows() -> None:
    how = Augmentation(shear_deg=45, fill="black")
    above = torch.stack([middle(change(how, dot(row=21, column=31), [seed])[0]) for seed in range(30)]) - torch.tensor([21.5, 31.5])
    assert above[:, 0].abs().max() < 0.5 and above[:, 1].abs().max() > 4


@pytest.mark.parametrize("fill, expected", [("black", 0), ("white", 255)])
def test_uncovered_corners_take_the_chosen_colour(fill: str, expected: int) -> None:
    grey = torch.full((1, 3, 40, 40), 100, dtype=torch.uint8)
    moved = change(Augmentation(shift=0.5, fill=fill), grey, [1])[0]  # type: ignore[arg-type]
    assert expected in moved and moved[0, 20, 20] == 100
    assert all(value == 100 or (value - expected) * (value - 100) <= 0 for value in moved.flatten().tolist())


def test_edge_stretches_the_border_and_reflect_mirrors_it() -> None:
    ramp = torch.arange(40, dtype=torch.uint8).mul(5).expand(1, 3, 40, 40)
    seed = next(s for s in range(50) if change(Augmentation(shift=0.5, fill="black"), ramp + 20, [s])[0, 0, 20, 0] == 0)  # moved right
    edge, mirror = (change(Augmentation(shift=0.5, fill=fill), ramp, [seed])[0, 0, 20].int() for fill in ("edge", "reflect"))
    uncovered = int((edge == 0).sum())
    assert uncovered > 3 and (edge[:uncovered - 1] == 0).all()
    assert (mirror[:uncovered - 1].diff() <= 0).all() and mirror[0] > mirror[uncovered - 1]
    assert torch.equal(edge[uncovered:], mirror[uncovered:])


def test_colours_vary_in_light_contrast_and_saturation() -> None:
    x = pictures(1).expand(40, -1, -1, -1)
    out = change(Augmentation(colour=0.6), x, range(40)).float()
    for figure in (lambda p: p.mean((1, 2, 3)), lambda p: p.mean(1).std((1, 2)), lambda p: p.std(1).mean((1, 2))):
        original, changed = figure(x.float()), figure(out)
        assert (changed < 0.9 * original).any() and (changed > 1.1 * original).any()
    grey = torch.full((4, 3, 8, 8), 90, dtype=torch.uint8)
    for picture in change(Augmentation(colour=0.6), grey, range(4)):
        assert len(set(picture.flatten().tolist())) == 1, "grey stays grey"
