"""Train graft-resnet10 from random weights on any folder of pictures, within a time budget, on a processor.

    python tools/pretrain_backbone.py PICTURES --minutes 72 [--out graft-resnet10.safetensors] [--val VAL_PICTURES]

PICTURES has one folder a class (pictures may lie deeper in it). Without --val every tenth picture of each class is held
out. The learning rate follows elapsed time, so that a run always ends with a whole cosine, however busy the machine is.
"""
from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, ResNet

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
SIDE = 64
LATE_SIDE = 96
LATE_FROM = 0.82
"""Fraction of the time after which pictures are enlarged: cheap small ones first, then some practice at a larger scale."""
BATCH = 128
PEAK_LR, LAST_LR, WARMUP = 0.15, 1e-4, 0.04
WEIGHT_DECAY = 2e-4
SMOOTHING = 0.1


@dataclass(frozen=True, slots=True)
class Pictures:
    """`x` (N, 64, 64, 3) uint8; `y` (N,) index into `classes`."""
    x: Tensor
    y: Tensor
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """Top-1 accuracy on the held-out pictures, 0 to 1, at both sizes."""
    small: float
    large: float


def pack(folder: Path) -> Pictures:
    """Read a folder with one sub-folder a class: shorter side to 64 px, middle 64 x 64. Raises `SystemExit` when there is nothing to learn."""
    classes = tuple(sorted(child.name for child in folder.iterdir() if child.is_dir()))
    pixels, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in SUFFIXES):
            try:
                with Image.open(path) as picture:
                    pixels.append(square(picture))
            except OSError as error:
                print(f"left out {path}: {error}")
                continue
            labels.append(label)
    if len(set(labels)) < 2:
        raise SystemExit(f"{folder} needs at least two folders with pictures in them.")
    return Pictures(torch.stack(pixels), torch.tensor(labels), classes)


def square(picture: Image.Image) -> Tensor:
    """(64, 64, 3) uint8."""
    picture.draft("RGB", (2 * SIDE, 2 * SIDE))  # lets JPEG decode at a fraction of its size
    picture = picture.convert("RGB")
    scale = SIDE / min(picture.size)
    picture = picture.resize((max(SIDE, round(picture.width * scale)), max(SIDE, round(picture.height * scale))), Image.Resampling.BICUBIC)
    left, top = (picture.width - SIDE) // 2, (picture.height - SIDE) // 2
    cropped = picture.crop((left, top, left + SIDE, top + SIDE))
    return torch.frombuffer(bytearray(cropped.tobytes()), dtype=torch.uint8).view(SIDE, SIDE, 3)


def hold_out(pictures: Pictures, every: int = 10) -> tuple[Pictures, Pictures]:
    """Training and validation pictures: every tenth of each class is validation."""
    held = torch.zeros(len(pictures.y), dtype=torch.bool)
    for label in range(len(pictures.classes)):
        held[(pictures.y == label).nonzero().flatten()[::every]] = True
    return tuple(Pictures(pictures.x[side], pictures.y[side], pictures.classes) for side in (~held, held))  # type: ignore[return-value]


def normalise(x: Tensor) -> Tensor:
    """(B, 64, 64, 3) uint8 -> (B, 3, 64, 64) fp32."""
    return (x.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def vary(x: Tensor, side: int) -> Tensor:
    """Random resized crop, flip, brightness and contrast of a whole batch, through one affine grid: -> (B, 3, side, side)."""
    n = len(x)
    scale = torch.empty(n).uniform_(0.3, 1).sqrt()
    aspect = torch.exp(torch.empty(n).uniform_(math.log(3 / 4), math.log(4 / 3))).sqrt()
    wide, high = (scale * aspect).clamp(max=1), (scale / aspect).clamp(max=1)
    flip = (torch.rand(n) < 0.5).float() * 2 - 1
    grid = torch.zeros(n, 2, 3)
    grid[:, 0, 0], grid[:, 1, 1] = wide * flip, high
    grid[:, 0, 2], grid[:, 1, 2] = (torch.rand(n) * 2 - 1) * (1 - wide), (torch.rand(n) * 2 - 1) * (1 - high)
    x = F.grid_sample(x, F.affine_grid(grid, [n, 3, side, side], align_corners=False), align_corners=False, padding_mode="reflection")
    return x * torch.empty(n, 1, 1, 1).uniform_(0.75, 1.25) + torch.empty(n, 1, 1, 1).uniform_(-0.3, 0.3)


def batches(n: int, size: int) -> Iterator[Tensor]:
    """Indices in an order of their own for each pass, without end; a short last batch is left out."""
    while True:
        yield from (part for part in torch.randperm(n).split(size) if len(part) == size)


def learning_rate(fraction: float) -> float:
    """By the fraction of time that is used up: a short warm-up, then a cosine."""
    return PEAK_LR * min(1, fraction / WARMUP) * 0.5 * (1 + math.cos(math.pi * min(1, fraction))) + LAST_LR


def train(pictures: Pictures, budget_s: float, report: Callable[[str], None] = print) -> nn.Module:
    """A network of `ResNet(BasicBlock, [1, 1, 1, 1])` after `budget_s` seconds, at least one step."""
    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=len(pictures.classes)).to(memory_format=torch.channels_last)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD([{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}],
                                lr=LAST_LR, momentum=0.9, nesterov=True)
    size = min(BATCH, len(pictures.y))
    start = time.monotonic()
    for step, idx in enumerate(batches(len(pictures.y), size)):
        fraction = (time.monotonic() - start) / budget_s
        if fraction >= 1 and step:
            return model
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(fraction)
        x = vary(normalise(pictures.x[idx]), SIDE if fraction < LATE_FROM else LATE_SIDE)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x.contiguous(memory_format=torch.channels_last)), pictures.y[idx], label_smoothing=SMOOTHING)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            report(f"{100 * min(fraction, 1):3.0f} %  pass {step * size / len(pictures.y):.1f}  step {step}  loss {loss.item():.3f}")
    raise AssertionError("batches never end")


def evaluate(model: nn.Module, pictures: Pictures, side: int) -> float:
    """Top-1 accuracy, 0 to 1, with the pictures enlarged to `side`."""
    model.eval()
    right = 0
    with torch.inference_mode():
        for idx in torch.arange(len(pictures.y)).split(500):
            x = normalise(pictures.x[idx])
            if side != SIDE:
                x = F.interpolate(x, size=side, mode="bilinear", antialias=True)
            right += int((model(x.contiguous(memory_format=torch.channels_last)).argmax(1) == pictures.y[idx]).sum())
    return right / len(pictures.y)


def write(model: nn.Module, classes: tuple[str, ...], path: Path) -> None:
    """fp16 safetensors with the names of the classes, in the form in which the app's built-in weights are kept."""
    state = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in model.state_dict().items()}
    save_file(state, path, metadata={
        "format": "pt", "arch": f"torchvision ResNet(BasicBlock, [1, 1, 1, 1], num_classes={len(classes)})",
        "mean": "0.485,0.456,0.406", "std": "0.229,0.224,0.225", "classes": json.dumps(classes, ensure_ascii=False)})


def main(words: list[str] | None = None) -> Scores:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--minutes", type=float, default=72)
    parser.add_argument("--val", type=Path)
    parser.add_argument("--out", type=Path, default=Path("graft-resnet10.safetensors"))
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(words)
    torch.manual_seed(asked.seed)
    print(f"reading {asked.pictures}")
    training = pack(asked.pictures)
    if asked.val:
        held = pack(asked.val)
        if held.classes != training.classes:
            raise SystemExit(f"{asked.val} and {asked.pictures} must have the same folders.")
    else:
        training, held = hold_out(training)
    print(f"{len(training.y)} pictures to learn from, {len(held.y)} held out, {len(training.classes)} classes")
    model = train(training, asked.minutes * 60)
    scores = Scores(evaluate(model, held, SIDE), evaluate(model, held, LATE_SIDE))
    write(model, training.classes, asked.out)
    print(f"held-out accuracy {scores.small:.1%} at {SIDE} px, {scores.large:.1%} at {LATE_SIDE} px; wrote {asked.out}")
    return scores


if __name__ == "__main__":
    main()
