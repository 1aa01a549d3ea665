"""Write what a user takes home: a folder, and a zip of it, with a network and everything that is needed to ask it."""
from __future__ import annotations

import json
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from core.bundle.answers import ACTIVATIONS
from core.bundle.kinds import KINDS, kind_in
from core.bundle.load import load_bundle
from core.bundle.readme import BaseModel, licence_note, readme
from core.bundle.standalone import standalone
from core.bundle.unpack import FORMAT
from core.models.blocks import Network, State
from core.objectives import objective as objective_row
from core.specs import RunSpec, to_json
from core.tasks.registry import Preprocess
from core.workspace import to_disk

ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""The least that a zip can say, so that the same bundle is always the same zip."""


def write_bundle(folder: Path, *, module: nn.Module, architecture: Mapping[str, Any], labels: Sequence[str], preprocess: Preprocess,
                 objective: str, run: RunSpec, scores: Mapping[str, Any], source: BaseModel, unit: str = "") -> Path:
    """Write the bundle of a trained network to `folder`, in place of one that is there; returns `folder`.

    `module` is the network in its original shape (`Network.model`), which `rebuild(architecture)` gives; its logits are
    (B, n_labels). `preprocess` is what its task made. `scores` is `Report.scores()`, or empty. A reader sees the old bundle or the new
    one, whole.
    """
    kind = KINDS[run.data.task]
    about = _about(architecture, labels, unit, preprocess, objective, run, scores, source, kind.installs(architecture))
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    try:
        save_file(_tensors(module), temporary / "model.safetensors", metadata={"format": "pt"})
        for name, data in kind.load_app().companions(module, about, preprocess).items():
            (temporary / name).write_bytes(data)
        for name, text in (("bundle.json", json.dumps(about, ensure_ascii=False, indent=1)),
                           ("predict.py", standalone(kind.program)),
                           ("README.md", readme(about=about, kind=kind, files=kind.files(temporary))),
                           ("LICENSE.txt", licence_note(source, kind.words.items))):
            (temporary / name).write_text(text, encoding="utf-8", newline="\n")
        for path in (*temporary.iterdir(), temporary):
            to_disk(path)
        _put_in_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def zip_bundle(folder: Path, out: Path) -> Path:
    """The bundle in `folder` as one zip, at its top level; the same bundle gives the same bytes. Returns `out`."""
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name in kind_in(folder)[0].files(folder):
                entry = zipfile.ZipInfo(name, ZIP_DATE)
                entry.create_system, entry.external_attr = 3, 0o100644 << 16
                entry.compress_type = zipfile.ZIP_STORED if name.endswith(".safetensors") else zipfile.ZIP_DEFLATED
                entry.file_size = (folder / name).stat().st_size  # decides before writing whether 4 GB are passed
                with (folder / name).open("rb") as file, archive.open(entry, "w") as target:
                    shutil.copyfileobj(file, target, 1 << 20)
        to_disk(temporary)
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return out


def parity(folder: Path, network: Network, items: Iterable[Any]) -> float:
    """Largest difference between the probabilities of `network`, in memory, and those of the bundle in `folder`, read anew."""
    saved, worst = load_bundle(folder), 0.0
    activation, prepared = ACTIVATIONS[saved.about["activation"]], saved.kind.load_app().prepared
    modes = {module: module.training for module in network.modules()}
    device = next(network.parameters()).device
    network.eval()
    try:
        for item in items:
            batch: State = prepared(saved.model, [item])
            with torch.inference_mode():
                here = activation(network.run(replace(batch, x=batch.x.to(device))).x).cpu()
            worst = max(worst, (here - torch.tensor(saved.predict([item]))).abs().max().item())
    finally:
        for module, training in modes.items():
            module.training = training
    return worst


def _about(architecture: Mapping[str, Any], labels: Sequence[str], unit: str, preprocess: Preprocess, objective: str, run: RunSpec,
           scores: Mapping[str, Any], source: BaseModel, libraries: Sequence[str]) -> dict[str, Any]:
    """bundle.json. It travels: the owner's name stays out of it."""
    return {
        "format": FORMAT, "name": run.name, "created": run.created, "task": run.data.task, "objective": objective,
        "activation": objective_row(objective).activation, "labels": list(labels), **({"unit": unit} if unit else {}),
        "preprocess": preprocess.to_dict(),
        "architecture": dict(architecture), "scores": dict(scores),
        "base": {"key": source.key, "title": source.title, "licence": source.licence, "learnt_from": source.learnt_from,
                 "since": list(source.since),
                 "pretrained": run.model.pretrained},
        "run": run.id, "data": json.loads(to_json(run.data)), "plan": json.loads(to_json(run.plan)),
        "config": json.loads(to_json(run.config)), "made_with": {library: version(library) for library in libraries},
    }


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """The state of a network for the file: on the CPU, floats as float32. One that has two names is written twice."""
    state, places = {}, set[int]()
    for name, tensor in module.state_dict().items():
        plain = (tensor.float() if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        state[name] = plain.clone() if plain.data_ptr() in places else plain
        places.add(plain.data_ptr())
    return state


def _put_in_place(new: Path, folder: Path) -> None:
    """Rename `new` to `folder`. A folder can't be replaced in one step: the old one is moved aside, then removed."""
    old = new.with_name(f"{new.name}.old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)
