"""A run as what another one begins with: real runs, tiny, carried out in this process."""
from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from core.errors import ModelError
from core.jobs import worker
from core.jobs.runs import state_of, submit
from core.models.blocks import State
from core.models.build import architecture, build
from core.models.catalog import find, known, models, on_this_machine
from core.models.from_runs import BETWEEN, NEVER_LEARNED, key_of, named
from core.models.own import forget_row, save_row
from core.models.rows import ModelRow
from core.models.texts.describe import describe
from core.models.texts.tokenizer_files import tokenizer_file
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, HeadPlan, ModelSpec, RunSpec, TrainConfig
from core.training.presets import PlanKind, plan_for
from core.workspace import Workspace
from tests.core.jobs.queued import dataset
from tests.core.jobs.texts import text_dataset
from tests.core.models.tiny_checkpoints import saved

DEFAULT = "graft-resnet10"


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFT_HOME", str(tmp_path_factory.mktemp("runs") / "workspace"))
        yield Workspace.open()
    root.handlers[:] = handlers  # the worker takes the process's log for itself
    root.setLevel(level)


@pytest.fixture(scope="module")
def pictures(ws: Workspace, tmp_path_factory: pytest.TempPathFactory) -> DataSpec:
    return dataset(ws, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def texts(ws: Workspace, tmp_path_factory: pytest.TempPathFactory) -> DataSpec:
    return text_dataset(ws, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def first(ws: Workspace, pictures: DataSpec) -> RunSpec:
    return trained(ws, pictures, DEFAULT)


def trained(ws: Workspace, data: DataSpec, model: str, kind: PlanKind = "all", head: HeadPlan = HeadPlan(), **spec: bool) -> RunSpec:
    row = find(model, ws, LOCAL_OWNER)
    config = TrainConfig("custom", epochs=1, batch_size=8, input_size=64 if row.task == "image" else None)
    run = submit(ws, LOCAL_OWNER, data, ModelSpec(model, **spec), replace(plan_for(row, kind), head=head), config)
    worker.run(ws.run(run.id))
    assert state_of(ws.run(run.id)) == "finished", (ws.run(run.id) / "events.jsonl").read_text("utf-8")[-800:]
    return run


def weights(ws: Workspace, run: RunSpec) -> dict[str, torch.Tensor]:
    return load_file(ws.run(run.id) / "best" / "model.safetensors")


def differing(row: ModelRow, run_weights: dict[str, torch.Tensor]) -> set[str]:
    """Tensors of the network that is built from a row which are not those of the run."""
    state = build(row, 7, 0).model.state_dict()
    return {name for name, tensor in state.items() if name not in run_weights or not torch.equal(tensor, run_weights[name])}


def test_a_run_is_its_sources_network_with_what_it_learned_and_a_new_head(ws: Workspace, first: RunSpec) -> None:
    row, source = find(key_of(first.id), ws, LOCAL_OWNER), find(DEFAULT)
    assert (row.title, row.base, row.since, row.input) == (f"{first.name}{BETWEEN}{source.title}", DEFAULT, (first.name,), source.input)
    assert (row.licence, row.learnt_from, row.blocks, row.score) == (source.licence, source.learnt_from, source.blocks, None)
    assert architecture(row, 7) == architecture(source, 7) and on_this_machine(row)
    assert differing(row, weights(ws, first)) == {"fc.weight", "fc.bias"}
    assert weights(ws, first)["conv1.weight"].ne(build(source, 7, 0).model.conv1.weight).any(), "the run has changed it"


def test_a_next_run_begins_there_and_so_does_the_one_after(ws: Workspace, first: RunSpec, pictures: DataSpec) -> None:
    second = trained(ws, pictures, key_of(first.id), "head")
    before, after = weights(ws, first), weights(ws, second)
    assert all(torch.equal(before[name], after[name]) for name in before if not name.startswith("fc.")), "the frozen trunk is the first run's"
    row = find(key_of(second.id), ws)
    assert (row.base, row.since) == (DEFAULT, (first.name, second.name)) and row.title == f"{second.name}{BETWEEN}{find(DEFAULT).title}"
    about = json.loads((ws.run(second.id) / "best" / "bundle.json").read_text("utf-8"))
    assert about["base"]["key"] == key_of(first.id) and f"then in “{first.name.replace('-', chr(92) + '-')}”" in (
        ws.run(second.id) / "best" / "README.md").read_text("utf-8")


def test_adapters_of_a_run_are_part_of_its_weights(ws: Workspace, pictures: DataSpec) -> None:
    adapted = trained(ws, pictures, DEFAULT, "lora")
    assert differing(find(key_of(adapted.id), ws), weights(ws, adapted)) == {"fc.weight", "fc.bias"}


def test_a_run_from_random_weights_has_no_past(ws: Workspace, pictures: DataSpec) -> None:
    row = find(key_of(trained(ws, pictures, DEFAULT, pretrained=False).id), ws)
    assert row.learnt_from == NEVER_LEARNED and "ImageNet" not in row.licence


def test_a_network_of_words_brings_its_words_and_what_was_new(ws: Workspace, texts: DataSpec) -> None:
    run = trained(ws, texts, "graft-words-lstm")
    row = find(key_of(run.id), ws)
    assert [block.name for block in row.blocks if block.new] == ["head"]
    assert differing(row, weights(ws, run)) == {"head.1.weight", "head.1.bias"}
    assert trained(ws, texts, row.key, "head").name


def test_a_transformer_needs_its_source_no_more(ws: Workspace, texts: DataSpec, tmp_path: Path) -> None:
    saved(tmp_path / "tiny")
    row = describe(str(tmp_path / "tiny"), ws)
    save_row(ws, row)
    run = trained(ws, texts, row.key)
    forget_row(ws, row.key)
    shutil.rmtree(tmp_path / "tiny")
    assert known(row.key, ws) is None
    own = find(key_of(run.id), ws, LOCAL_OWNER)
    assert differing(own, weights(ws, run)) == {"classifier.weight", "classifier.bias"}
    assert tokenizer_file(ws, own).parent == Path(own.own_file).parent
    last = trained(ws, texts, own.key, "head")
    assert differing(find(key_of(last.id), ws), weights(ws, last)) == {"classifier.weight", "classifier.bias"}


def test_another_head_than_the_runs_finds_the_trunk(ws: Workspace, texts: DataSpec, tmp_path: Path) -> None:
    """With another pooling a transformer is made of another class, whose tensors have other names; the pooler goes, and is new when it
    comes back."""
    saved(tmp_path / "tiny")
    source = describe(str(tmp_path / "tiny"), ws)
    save_row(ws, source)
    run = trained(ws, texts, source.key, head=HeadPlan("mlp", "mean", width=8))
    row = find(key_of(run.id), ws)
    assert [block.name for block in row.blocks if block.new] == ["pooler"]
    own, plain = weights(ws, run), build(row, 7, 0).model.state_dict()
    assert torch.equal(plain["bert.encoder.layer.1.output.dense.weight"], own["encoder.encoder.layer.1.output.dense.weight"])
    batch = State(torch.tensor([[1, 2, 3]]), torch.tensor([3]))
    assert build(row, 7, 0).run(batch).x.shape == (1, 7)


def test_runs_are_listed_for_their_owner_alone_and_workers_find_all(ws: Workspace, first: RunSpec) -> None:
    key = key_of(first.id)
    assert key in models(ws, LOCAL_OWNER) and key not in models(ws, "somebody") and key not in models(ws)
    assert find(key, ws).key == key
    with pytest.raises(ModelError, match="belongs to somebody else"):
        find(key, ws, "somebody")


def test_somebody_elses_run_is_no_start(ws: Workspace, first: RunSpec, tmp_path: Path) -> None:
    theirs = dataset(ws, tmp_path, owner="somebody", name="theirs", n=4)
    with pytest.raises(ModelError, match="belongs to somebody else"):
        submit(ws, "somebody", theirs, ModelSpec(key_of(first.id)), plan_for(find(DEFAULT), "head"), TrainConfig())


def test_a_queued_run_whose_source_is_deleted_says_so(ws: Workspace, pictures: DataSpec) -> None:
    source = trained(ws, pictures, DEFAULT, "head")
    row = find(key_of(source.id), ws)
    waiting = submit(ws, LOCAL_OWNER, pictures, ModelSpec(row.key), plan_for(row, "head"), TrainConfig("custom", epochs=1, input_size=64))
    shutil.rmtree(ws.run(source.id))
    assert row.key not in models(ws, LOCAL_OWNER) and not on_this_machine(row)
    worker.run(ws.run(waiting.id))
    assert state_of(ws.run(waiting.id)) == "failed"
    assert "The run that this model came from is not here." in (ws.run(waiting.id) / "events.jsonl").read_text("utf-8")
    with pytest.raises(ModelError, match="are gone"):
        build(row, 3, 0)


@pytest.mark.parametrize("damage", [lambda data: data[:200], lambda data: b"nothing of the kind"])
def test_a_damaged_file_is_named(ws: Workspace, first: RunSpec, damage: object, tmp_path: Path) -> None:
    broken = tmp_path / "model.safetensors"
    broken.write_bytes(damage((ws.run(first.id) / "best" / "model.safetensors").read_bytes()))  # type: ignore[operator]
    with pytest.raises(ModelError, match="model.safetensors is damaged"):
        build(replace(find(key_of(first.id), ws), own_file=str(broken)), 3, 0)


def test_a_run_is_meant_by_its_name_too(ws: Workspace, first: RunSpec) -> None:
    assert named(ws, f"run:{first.name}", LOCAL_OWNER) == key_of(first.id) == named(ws, key_of(first.id), LOCAL_OWNER)
    assert named(ws, f"run:{first.name}", "somebody") == f"run:{first.name}" and named(ws, "resnet18", LOCAL_OWNER) == "resnet18"
