"""The settings of runs in words, to be put beside one another: plain text, not escaped."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.data.versions import Dataset, load_dataset
from core.errors import NotFound
from core.evaluation.compare import UNUSED, Difference
from core.models.catalog import known
from core.objectives import objective
from core.specs import RunSpec
from core.training.presets import groups
from pages.ui import adaptation, recipe, settings_form, settings_pictures, settings_texts, state
from pages.ui.i18n import _
from pages.ui.plan import group_name
from pages.ui.text import listed

LABELS: dict[str, str] = {
    "data": "Data", "objective": "What is asked", "model": "Model", "preset": "Preset", "trains": "Trains", "from_epoch": "Joins after so many epochs",
    "lr_scale": "Share of the learning rate", "anchor": "Pull to the source (L2-SP)", "batch_norm": "BatchNorm statistics",
    "head.kind": "Head", "head.pooling": "Pooling", "head.width": "Width of the hidden layer", "head.dropout": "Dropout",
    "epochs": "Epochs", "optimizer": "Optimizer", "learning_rate": "Learning rate", "momentum": "Momentum", "schedule": "Schedule",
    "weight_decay": "Weight decay", "batch_size": "Batch size", "input_size": "Input size (pixels)", "max_tokens": "Longest text (tokens)",
    "long_texts": "Of longer texts read", "lora_rank": "Rank of the adapters", "lora_alpha": "Alpha of the adapters",
    "label_smoothing": "Label smoothing", "class_weights": "Rare labels count more",
    "patience": "Stop after this many epochs without gain", "seed": "Seed",
    "method": "Learns from", "precision": "Arithmetic", "store_activations": "Frozen part computed once",
    "first_model": "A first model at once", "augmentation.flip": "Mirror left and right", "augmentation.rotation_deg": "Rotation (degrees)",
    "augmentation.shift": "Shift (%)", "augmentation.shear_deg": "Shear (degrees)", "augmentation.zoom": "Zoom (%)",
    "augmentation.colour": "Colour and light (%)", "augmentation.fill": "Fill uncovered corners with"}
"""By the key of a `Difference`. Keys of the translation catalogue."""
IN_PERCENT = frozenset({"augmentation.shift", "augmentation.zoom", "augmentation.colour"})


def worded(rows: Sequence[Difference], runs: Sequence[RunSpec]) -> list[tuple[str, list[str]]]:
    """Each setting's label, and its value in each run. What is called the same in all of them is left out: another row says why it
    differs."""
    found = [(_(LABELS[row.key]), [value_text(row.key, value, run) for value, run in zip(row.values, runs)]) for row in rows]
    return [(label, texts) for label, texts in found if len(set(texts)) > 1]


def value_text(key: str, value: Any, run: RunSpec) -> str:
    """A value as the reader's language has it; a dash where the run makes no use of the setting."""
    if value == UNUSED:
        return "–"
    if key in WORDS:
        return WORDS[key](value, run)
    if isinstance(value, bool):
        return _("on") if value else _("off")
    return f"{value * (100 if key in IN_PERCENT else 1):g}"


def data_text(run: RunSpec, whole: bool = False) -> str:
    """“flowers, 300”; `whole`: and what made this version, where the data has several."""
    try:
        dataset, version = load_dataset(state.workspace(), run.data.dataset, run.owner), state.read_version(run.data)
    except NotFound:
        return _("not here any more")
    text = _("{data}, {n}", data=dataset.name, n=len(version.items))
    return text if len(dataset.versions) == 1 or not whole else f"{text} · {_version_text(dataset, run.data.version)}"


def _version_text(dataset: Dataset, version: str) -> str:
    made = next((change for change in (*dataset.changes, *dataset.undone) if change.version == version), None)
    return _(made.what, **made.params) if made else _("as it was brought")


def _trains(value: tuple[tuple[str, str], ...], run: RunSpec) -> str:
    """By groups; where only a part of one trains, its blocks by name: which part may be all that differs."""
    row = known(run.model.key, state.workspace())
    text = recipe.trained_text(run.model.key, run.plan)
    mixed = row and {group for group in groups(row) if len({block.state for block, facts in zip(run.plan.blocks, row.blocks)
                                                            if facts.group == group and facts.parameters}) > 1}
    return f"{text} ({listed(group_name(name) for name, _state in value)})" if mixed else text


def _by_part(usual: Callable[[], str]) -> Callable[[tuple[tuple[str, float], ...], RunSpec], str]:
    """“stage 3 to stage 4: 0.1”: parts that have another value than the usual one."""
    def text(value: tuple[tuple[str, float], ...], run: RunSpec) -> str:
        row = known(run.model.key, state.workspace())
        group = {block.name: block.group for block in row.blocks} if row else {}
        names = groups(row) if row else tuple(block.name for block in run.plan.blocks)
        parts = dict.fromkeys((number, group.get(name, name)) for name, number in value)
        return listed(_("{where}: {n}", where=recipe.span(names, [name for found, name in parts if found == number]), n=f"{number:g}")
                      for number in dict.fromkeys(number for number, _name in parts)) or usual()
    return text


WORDS: dict[str, Callable[[Any, RunSpec], str]] = {
    "data": lambda value, run: data_text(run, whole=True),
    "objective": lambda value, run: _(objective(value).title),
    "model": lambda value, run: recipe.model_text(value),
    "preset": lambda value, run: recipe.preset_text(value),
    "trains": _trains,
    "from_epoch": _by_part(lambda: _("all from the start")),
    "lr_scale": _by_part(lambda: _("all of it everywhere")),
    "anchor": _by_part(lambda: _("none")),
    "batch_norm": lambda value, run: adaptation.batch_norm_names()[value],
    "head.kind": lambda value, run: adaptation.head_names()[value],
    "head.pooling": lambda value, run: adaptation.pooling_names()[value],
    "optimizer": lambda value, run: settings_form.OPTIMIZERS[value],
    "schedule": lambda value, run: settings_form.schedule_names()[value],
    "input_size": lambda value, run: f"{value}" if value else _("the model's own"),
    "max_tokens": lambda value, run: f"{value}" if value else _("the model's own"),
    "long_texts": lambda value, run: settings_texts.long_text_names()[value],
    "patience": lambda value, run: f"{value}" if value else _("never"),
    "method": lambda value, run: {"plain": _("labels"), "contrastive": _("pairs, then labels")}[value],
    "precision": lambda value, run: {"auto": _("the faster one here")}.get(value, value),
    "augmentation.fill": lambda value, run: settings_pictures.fill_names()[value],
}
"""Settings that are no plain numbers, by key."""
