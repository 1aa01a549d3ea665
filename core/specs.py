"""What a run is made of: frozen, validated values that go to JSON and back unchanged."""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from core.errors import SettingsError

SplitName = Literal["train", "val", "test"]
SIDES: tuple[SplitName, ...] = ("train", "val", "test")
BlockState = Literal["frozen", "trained", "lora"]
"""A block's weights rest, or learn, or rest while thin adapters beside them learn (`core.models.lora`)."""
PresetKey = Literal["instant", "balanced", "thorough", "few", "custom"]
Method = Literal["plain", "contrastive"]
"""Learning from labels, or first from pairs of items and then from labels (`core.training.contrastive`)."""
OptimizerKey = Literal["sgd", "adam", "adamw", "rmsprop", "lbfgs"]
ScheduleKey = Literal["constant", "cosine", "step"]
Precision = Literal["fp32", "bf16"]
FillKey = Literal["reflect", "edge", "black", "white"]
HeadKind = Literal["linear", "mlp"]
PoolingKey = Literal["own", "average", "max", "flatten", "first", "mean", "last"]
"""How a network's last features become one row of numbers; "own": as it was made."""
BatchNorm = Literal["adapt", "keep"]
"""Whether the statistics of normalisation follow the items in blocks that train, or stay those of the source everywhere."""
LongTexts = Literal["start", "ends", "windows"]
"""What is read of a text with more tokens than the network takes: its start, its start and end, or all of it, window by window."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DataSpec:
    """One immutable version of a dataset."""
    dataset: str
    version: str
    task: str = "image"
    objective: str = "single_label"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A row of the catalog, with its pretrained weights or (`pretrained=False`) with random ones."""
    key: str
    pretrained: bool = True


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """What happens to one block. `lr_scale` multiplies the learning rate; it, or its adapters, train from `from_epoch` (0 = the first) on.
    `anchor` pulls weights that train in full back to those of the source (L2-SP, `core.training.anchor`); 0: they are free."""
    name: str
    state: BlockState
    lr_scale: float = 1.0
    from_epoch: int = 0
    anchor: float = 0.0

    def __post_init__(self) -> None:
        _check(self, lr_scale=(0, 100), from_epoch=(0, 1000), anchor=(0, 100))

    def trains_at(self, epoch: int) -> bool:
        return self.state != "frozen" and epoch >= self.from_epoch


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """The new head. Linear: one layer. MLP: a hidden layer of `width` numbers, ReLU and dropout before it."""
    kind: HeadKind = "linear"
    pooling: PoolingKey = "own"
    width: int = 256
    dropout: float = 0.5

    def __post_init__(self) -> None:
        _check(self, width=(1, 8192), dropout=(0, 0.95))


@dataclass(frozen=True, slots=True)
class FreezePlan:
    """One `BlockPlan` a block, in the order of the network, input first; the head that is put on it; and its normalisation."""
    blocks: tuple[BlockPlan, ...]
    head: HeadPlan = field(default_factory=HeadPlan)
    batch_norm: BatchNorm = "adapt"

    def trained(self) -> tuple[str, ...]:
        """Names of the blocks that train at any time of the run, in full or by adapters."""
        return tuple(block.name for block in self.blocks if block.state != "frozen")

    def adapted(self) -> tuple[str, ...]:
        """Names of the blocks of which adapters alone train."""
        return tuple(block.name for block in self.blocks if block.state == "lora")

    def trained_at(self, epoch: int) -> tuple[str, ...]:
        return tuple(block.name for block in self.blocks if block.trains_at(epoch))


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes made to training pictures, each time one is shown. All zero and False: none."""
    flip: bool = False
    rotation_deg: float = 0.0
    shift: float = 0.0
    """Largest shift, as a fraction of the picture's side."""
    shear_deg: float = 0.0
    zoom: float = 0.0
    """Largest enlargement or reduction, as a fraction: 0.2 means 0.8 to 1.2."""
    colour: float = 0.0
    """Strength of changes in brightness, contrast and saturation, 0 to 1."""
    fill: FillKey = "reflect"

    def __post_init__(self) -> None:
        _check(self, rotation_deg=(0, 180), shift=(0, 0.5), shear_deg=(0, 45), zoom=(0, 0.9), colour=(0, 1))

    @property
    def active(self) -> bool:
        return self.flip or any((self.rotation_deg, self.shift, self.shear_deg, self.zoom, self.colour))


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything about the training that is not data, model or freezing."""
    preset: PresetKey = "instant"
    epochs: int = 30
    optimizer: OptimizerKey = "adamw"
    """L-BFGS fits a linear head that learns alone to all items at once; whatever else learns has AdamW in its place."""
    learning_rate: float = 3e-3
    momentum: float = 0.9
    """Used by SGD and RMSprop only."""
    schedule: ScheduleKey = "cosine"
    weight_decay: float = 1e-2
    batch_size: int = 32
    input_size: int | None = None
    """Side of the square the network sees, in pixels; None: the model's own."""
    max_tokens: int | None = None
    """Most tokens that are read of a text (of a window, where long texts are read so); None: as the model's row says."""
    long_texts: LongTexts = "start"
    lora_rank: int = 8
    """Width of the adapters beside the layers of a block that is "lora"."""
    lora_alpha: int = 16
    """How much an adapter counts: what it gives is multiplied by alpha / rank."""
    label_smoothing: float = 0.0
    class_weights: bool = False
    """Weigh each class by the inverse of its count, so that rare classes matter as much as common ones."""
    patience: int = 0
    """Stop after this many epochs without gain on the validation split; 0: never."""
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    method: Method = "plain"
    precision: Precision | Literal["auto"] = "auto"
    """Arithmetic of the training; auto: the one that is faster on this machine. Reports and predictions are always in fp32."""
    store_activations: bool = True
    """Compute the frozen part once instead of in every epoch: same result. Of items that are changed at random a few variants are stored,
    and take turns."""

    first_model: bool = False
    """Before more than the head learns, fit the head alone, so that there is a model to try at once, and one to compare with."""

    def __post_init__(self) -> None:
        _check(self, epochs=(1, 1000), learning_rate=(1e-8, 10), momentum=(0, 0.999), weight_decay=(0, 1), batch_size=(1, 1024),
               input_size=(32, 1024), max_tokens=(4, 8192), lora_rank=(1, 128), lora_alpha=(1, 1024),
               label_smoothing=(0, 0.5), patience=(0, 1000), seed=(0, 2**31 - 1))


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A whole run; `run.json` holds it and is never rewritten."""
    id: str
    name: str
    owner: str
    created: float
    """Unix time, seconds."""
    data: DataSpec
    model: ModelSpec
    plan: FreezePlan
    config: TrainConfig


def _check(spec: object, **ranges: tuple[float, float]) -> None:
    """Raise one `SettingsError` that names every field outside its closed range. None passes."""
    problems = []
    for name, (low, high) in ranges.items():
        value = getattr(spec, name)
        if value is not None and not low <= value <= high:  # also False for NaN
            problems.append(f"{name} must be between {low:g} and {high:g}, got {value:g}.")
    if problems:
        raise SettingsError("Some settings are out of range.", "{problems}", "Change them and start again.", problems=" ".join(problems))


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(kind)


def to_json(value: Any, indent: int | None = None) -> bytes:
    """A spec (or any dataclass of plain values) as UTF-8 JSON."""
    return _adapter(type(value)).dump_json(value, indent=indent)


def from_json(kind: type[T], text: str | bytes) -> T:
    """The inverse of `to_json`. Raises `SettingsError` when the text does not describe a `kind`."""
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        raise SettingsError("A file of the workspace can't be read.", "It does not describe a {kind}: {problem}",
                            "It was written by another version or changed by hand.",
                            kind=kind.__name__, problem=str(error).splitlines()[-1]) from error
