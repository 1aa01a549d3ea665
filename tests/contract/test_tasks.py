"""What every task promises to training, tried on a small real dataset of each."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from core.bundle import predict
from core.data.split import Split
from core.data.versions import Version, load_version
from core.models.catalog import CATALOG, ModelRow
from core.preprocess import Preprocess
from core.specs import Augmentation, DataSpec, SplitName, TrainConfig
from core.tasks.registry import TASKS, TaskInfo
from core.workspace import Workspace
from tests.core.jobs.queued import dataset

CHANGED = {"image": Augmentation(flip=True, rotation_deg=20, shift=0.1, shear_deg=10, zoom=0.2, colour=0.5)}
"""By task: every option that its augmentation has."""


@dataclass(frozen=True, slots=True)
class Made:
    """A dataset as its task serves it."""
    ws: Workspace
    data: DataSpec
    version: Version
    preprocess: Preprocess
    row: ModelRow
    info: TaskInfo

    def splits(self, augmentation: Augmentation = Augmentation(), seed: int = 0,
               preprocess: Preprocess | None = None) -> dict[SplitName, Split]:
        return self.info.load().splits(self.ws, self.data, self.version, preprocess or self.preprocess,
                                        TrainConfig(augmentation=augmentation, seed=seed), lambda done, total: None)


@pytest.fixture(params=list(TASKS))
def made(request: pytest.FixtureRequest, ws: Workspace, tmp_path: Path) -> Made:
    row, data = CATALOG[TASKS[request.param].default_model], dataset(ws, tmp_path)
    return Made(ws, data, load_version(ws, data), TASKS[row.task].facts().preprocess(row, TrainConfig(input_size=64)), row, TASKS[row.task])


def everything(split: Split) -> torch.Tensor:
    return torch.arange(len(split))


def test_the_row_names_what_pages_need(made: Made) -> None:
    info = made.info
    assert TASKS[info.key] is info and info.title and info.item and info.items and info.file_types
    assert all(ending.startswith(".") and ending == ending.lower() for ending in info.file_types)


def test_the_sides_are_those_of_the_version(made: Made) -> None:
    splits = made.splits()
    assert set(splits) == {"train", "val", "test"}
    for name, split in splits.items():
        items = made.version.split(name)
        assert len(split) == len(items) > 0 and split.shas == tuple(item.sha for item in items)
        assert split.targets.dtype == torch.int64 and split.targets.tolist() == [item.label for item in items]


def test_a_side_may_be_empty(made: Made) -> None:
    bare = replace(made, version=replace(made.version, items=made.version.split("train")))
    assert [len(split) for split in bare.splits().values()] == [len(bare.version.items), 0, 0]


def test_inputs_are_batches_for_a_network(made: Made) -> None:
    for split in made.splits().values():
        x = split.inputs(everything(split)).x
        assert x.dtype == torch.float32 and x.shape == (len(split), 3, 64, 64) and x.isfinite().all()


@pytest.mark.parametrize("key", [row.key for row in CATALOG.values() if row.input.input_size < 300])
def test_what_is_evaluated_is_what_the_bundle_prepares_bit_for_bit(made: Made, key: str) -> None:
    """At the size of each model, and at an odd one."""
    facts = TASKS["image"].facts()
    for preprocess in (facts.preprocess(CATALOG[key], TrainConfig()), facts.preprocess(CATALOG[key], TrainConfig(input_size=75))):
        for split in made.splits(CHANGED[made.info.key], preprocess=preprocess).values():
            files = [made.ws.blob(sha) for sha in split.shas]
            prepared = [predict.prepare(predict.open_picture(file, preprocess.resize_size), preprocess.to_dict()) for file in files]
            expected = predict.normalise(torch.stack(prepared), preprocess.to_dict())
            assert torch.equal(split.inputs(everything(split)).x, expected)


def test_the_order_and_size_of_a_batch_change_no_item(made: Made) -> None:
    split = made.splits(CHANGED[made.info.key], seed=3)["train"]
    mixed = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    for serve in (split.inputs, lambda idx: split.augmented(idx, 2)):
        together = serve(everything(split)).x
        assert torch.equal(serve(mixed).x, together[mixed])
        assert all(torch.equal(serve(torch.tensor([i])).x[0], together[i]) for i in range(len(split)))


def test_augmentation_is_a_function_of_seed_epoch_and_item(made: Made) -> None:
    def seen(seed: int, epoch: int) -> torch.Tensor:
        split = made.splits(CHANGED[made.info.key], seed)["train"]
        return split.augmented(everything(split), epoch).x
    first = seen(1, 0)
    assert torch.equal(first, seen(1, 0))
    for other in (seen(2, 0), seen(1, 1)):
        assert not any(torch.equal(one, another) for one, another in zip(first, other))
    split = made.splits(CHANGED[made.info.key], 1)["train"]
    assert first.shape == split.inputs(everything(split)).x.shape and first.dtype == torch.float32
    assert len({item.numpy().tobytes() for item in first}) == len(first)


def test_without_augmentation_training_sees_what_evaluation_sees(made: Made) -> None:
    split = made.splits(seed=5)["train"]
    assert torch.equal(split.augmented(everything(split), 7).x, split.inputs(everything(split)).x)


def test_items_are_prepared_once(made: Made) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):
        made.info.load().splits(made.ws, made.data, made.version, made.preprocess, TrainConfig(), lambda done, total: told.append((done, total)))
    n = len({item.sha for item in made.version.items})
    assert told == [(i, n) for i in range(1, n + 1)]


def test_augmentation_options_are_all_tried_here() -> None:
    assert set(CHANGED) == set(TASKS)
    assert all(getattr(CHANGED["image"], name) for name in Augmentation.__dataclass_fields__)
