"""How a picture becomes what a network sees. Torch-free: pages show it, bundles carry it, `core.bundle.predict` obeys it."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

Interpolation = Literal["bilinear", "bicubic"]
Channels = tuple[float, float, float]


class PictureFacts(Protocol):
    """What a row of the model catalog states of the pictures that a network takes."""
    @property
    def resize_size(self) -> int: ...
    @property
    def input_size(self) -> int: ...
    @property
    def interpolation(self) -> Interpolation: ...
    @property
    def mean(self) -> Channels: ...
    @property
    def std(self) -> Channels: ...


@dataclass(frozen=True, slots=True)
class Preprocess:
    """The shorter side is resized to `resize_size` pixels, the middle `input_size` x `input_size` is kept, then every channel
    (red, green, blue; 0 to 1) loses `mean` and is divided by `std`."""
    resize_size: int
    input_size: int
    mean: Channels
    std: Channels
    interpolation: Interpolation

    def __post_init__(self) -> None:
        if not 0 < self.input_size <= self.resize_size:
            raise ValueError(f"input_size must be between 1 and resize_size = {self.resize_size}, got {self.input_size}")
        if min(self.std) <= 0:
            raise ValueError(f"std must be > 0 in every channel, got {self.std}")

    def __getitem__(self, key: str) -> Any:
        """Field by name: `core.bundle.predict` stands alone and reads a plain dict of these fields, or this, alike."""
        return getattr(self, key)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `Preprocess.from_dict` restores it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Preprocess:
        return cls(**{**fields, "mean": tuple(fields["mean"]), "std": tuple(fields["std"])})


def of_input(facts: PictureFacts, input_size: int | None = None) -> Preprocess:
    """The preprocessing for a network; another input size scales the resized picture in proportion, so as much is cropped away."""
    side = input_size or facts.input_size
    resized = max(side, round(facts.resize_size * side / facts.input_size))
    return Preprocess(resized, side, tuple(facts.mean), tuple(facts.std), facts.interpolation)
