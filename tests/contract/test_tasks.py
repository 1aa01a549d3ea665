"""What every task promises to training, tried on a small real dataset of each."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from core.bundle import predict
from core.data.split import Split
from core.data.versions import Version, load_version
from core.models.build import build
from core.models.catalog import CATALOG, ModelRow
from core.preprocess import Preprocess
from core.specs import Augmentation, DataSpec, SplitName, TrainConfig
from core.tasks.registry import TASKS, TaskInfo
from core.workspace import Workspace
from tests.core.jobs.queued import dataset
from tests.core.jobs.texts import text_dataset
from tests.core.tasks.kept import until_kept

CHANGED = {"image": Augmentation(flip=True, rotation_deg=20, shift=0.1, shear_deg=10, zoom=0.2, colour=0.5), "text": Augmentation()}
"""By task: every option that its augmentation has."""
DATASETS = {"image": dataset, "text": text_dataset}


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


def make(task: str, ws: Workspace, folder: Path) -> Made:
    row, data = CATALOG[TASKS[task].default_model], DATASETS[task](ws, folder)
    preprocess = TASKS[task].facts().preprocess(ws, row, TrainConfig(input_size=64))
    return Made(ws, data, load_version(ws, data), preprocess, row, TASKS[task])


@pytest.fixture(params=list(TASKS))
def made(request: pytest.FixtureRequest, ws: Workspace, tmp_path: Path) -> Made:
    return make(request.param, ws, tmp_path)


@pytest.fixture
def pictures(ws: Workspace, tmp_path: Path) -> Made:
    return make("image", ws, tmp_path)


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


def test_inputs_are_what_the_network_takes(made: Made) -> None:
    network = build(made.row, len(made.version.labels), 0, pretrained=False).eval()
    for split in made.splits().values():
        logits = network.run(split.inputs(everything(split))).x
        assert logits.shape == (len(split), len(made.version.labels)) and logits.isfinite().all()


def test_lengths_are_told_where_items_differ(made: Made) -> None:
    for split in made.splits().values():
        batch = split.inputs(everything(split))
        assert (batch.lengths is None) == (split.lengths is None)
        assert split.lengths is None or torch.equal(batch.lengths, split.lengths) and batch.x.shape[1] == split.lengths.max()


def test_a_probe_is_work_that_the_network_can_do(made: Made) -> None:
    probe = made.info.load().probe(made.row, made.preprocess, 5)
    assert build(made.row, 2, 0, pretrained=False).eval().run(probe.inputs(everything(probe))).x.shape == (5, 2)
    assert made.info.load().work(made.row, made.preprocess, probe) > 0


def test_the_cost_of_an_item_is_known_before_and_after_it_is_read(made: Made) -> None:
    """Among look-ups of no cost, a task may state its work in any unit: what counts is that both sides state it alike."""
    told = made.info.facts().cost(made.ws, made.row, TrainConfig(input_size=64), made.data, made.version)
    found = made.info.load().work(made.row, made.preprocess, made.splits()["train"])
    assert told.read_s > 0 and told.work == pytest.approx(found, rel=0.25)


def test_pictures_are_batches_of_one_size(pictures: Made) -> None:
    for split in pictures.splits().values():
        x = split.inputs(everything(split)).x
        assert x.dtype == torch.float32 and x.shape == (len(split), 3, 64, 64) and x.isfinite().all()


@pytest.mark.parametrize("key", [row.key for row in CATALOG.values() if row.task == "image" and row.input.input_size < 300])
def test_what_is_evaluated_is_what_the_bundle_prepares_bit_for_bit(pictures: Made, key: str) -> None:
    """At the size of each model, and at an odd one."""
    facts = TASKS["image"].facts()
    for preprocess in (facts.preprocess(pictures.ws, CATALOG[key], TrainConfig()), facts.preprocess(pictures.ws, CATALOG[key], TrainConfig(input_size=75))):
        for split in pictures.splits(CHANGED[pictures.info.key], preprocess=preprocess).values():
            files = [pictures.ws.blob(sha) for sha in split.shas]
            prepared = [predict.prepare(predict.open_picture(file, preprocess.resize_size), preprocess.to_dict()) for file in files]
            expected = predict.normalise(torch.stack(prepared), preprocess.to_dict())
            assert torch.equal(split.inputs(everything(split)).x, expected)


def test_the_order_and_size_of_a_batch_change_no_item(made: Made) -> None:
    split = made.splits(CHANGED[made.info.key], seed=3)["train"]
    mixed = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    for serve in (split.inputs, lambda idx: split.augmented(idx, 2)):
        together = serve(everything(split)).x
        assert torch.equal(serve(mixed).x, together[mixed])
        for i in range(len(split)):
            alone = serve(torch.tensor([i])).x[0]
            assert torch.equal(alone, together[i][:len(alone)])


def test_augmentation_is_a_function_of_seed_epoch_and_item(pictures: Made) -> None:
    def seen(seed: int, epoch: int) -> torch.Tensor:
        split = pictures.splits(CHANGED[pictures.info.key], seed)["train"]
        return split.augmented(everything(split), epoch).x
    first = seen(1, 0)
    assert torch.equal(first, seen(1, 0))
    for other in (seen(2, 0), seen(1, 1)):
        assert not any(torch.equal(one, another) for one, another in zip(first, other))
    split = pictures.splits(CHANGED[pictures.info.key], 1)["train"]
    assert first.shape == split.inputs(everything(split)).x.shape and first.dtype == torch.float32
    assert len({item.numpy().tobytes() for item in first}) == len(first)


def test_without_augmentation_training_sees_what_evaluation_sees(made: Made) -> None:
    split = made.splits(seed=5)["train"]
    assert torch.equal(split.augmented(everything(split), 7).x, split.inputs(everything(split)).x)


def test_pictures_are_decoded_once(pictures: Made) -> None:
    told: list[tuple[int, int]] = []
    for _ in range(2):
        pictures.info.load().splits(pictures.ws, pictures.data, pictures.version, pictures.preprocess, TrainConfig(), lambda done, total: told.append((done, total)))
        until_kept(pictures.ws)
    n = len({item.sha for item in pictures.version.items})
    assert told == [(i, n) for i in range(1, n + 1)]


def test_augmentation_options_are_all_tried_here() -> None:
    assert set(CHANGED) == set(TASKS)
    assert all(getattr(CHANGED["image"], name) for name in Augmentation.__dataclass_fields__)
