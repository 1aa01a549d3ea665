from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
from torch import nn

from core.bundle.load import load_bundle
from core.bundle.write import zip_bundle
from core.errors import ModelError, NotFound
from tests.core.bundle.insects import LABELS, encoded, photo

PICTURE = encoded(photo(4), "PNG")


def rezipped(bundle: Path, target: Path, /, prefix: str = "", leave_out: str = "", **changed: bytes) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(bundle.iterdir()):
            if path.name != leave_out:
                archive.writestr(prefix + path.name, changed.get(path.stem, path.read_bytes()))
    return target


def test_folder_and_zip_give_the_same_model(bundle: Path, tmp_path: Path) -> None:
    folder, zipped = load_bundle(bundle), load_bundle(zip_bundle(bundle, tmp_path / "out.zip"))
    assert zipped.labels == folder.labels == LABELS
    assert zipped.predict([PICTURE]) == folder.predict([PICTURE])


def test_a_zip_packed_again_inside_a_folder_loads(bundle: Path, tmp_path: Path) -> None:
    assert load_bundle(rezipped(bundle, tmp_path / "x.zip", prefix="my model/")).labels == LABELS


def test_code_in_a_bundle_is_never_run(bundle: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    load_bundle(rezipped(bundle, tmp_path / "x.zip", predict=f"open({str(trap)!r}, 'w')".encode()))
    assert not trap.exists()


def test_names_in_a_zip_never_become_paths(bundle: Path, tmp_path: Path) -> None:
    path = rezipped(bundle, tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../escaped.txt", "x")
    load_bundle(path)
    assert not list(tmp_path.rglob("escaped.txt")) and not (tmp_path.parent / "escaped.txt").exists()


@pytest.mark.parametrize("name", ["bundle.json", "model.safetensors"])
def test_a_missing_file_is_named(bundle: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match=f"{name} is missing"):
        load_bundle(rezipped(bundle, tmp_path / "x.zip", leave_out=name))
    folder = Path(shutil.copytree(bundle, tmp_path / "copy"))
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing"):
        load_bundle(folder)


def test_a_file_that_is_there_twice_is_refused(bundle: Path, tmp_path: Path) -> None:
    path = rezipped(bundle, tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/bundle.json", "{}")
    with pytest.raises(ModelError, match="bundle.json is in it twice"):
        load_bundle(path)


def test_weights_that_expand_beyond_reason_are_refused_unread(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="model.safetensors is too large"):
        load_bundle(rezipped(bundle, tmp_path / "x.zip", model=bytes(64 << 20)))


def about(bundle: Path, **changes: object) -> bytes:
    return json.dumps({**json.loads((bundle / "bundle.json").read_text(encoding="utf-8")), **changes}).encode()


@pytest.mark.parametrize("changes, said", [
    ({"format": 99}, "format 99; this program reads format 1"),
    ({"architecture": {"builder": "os.system", "kwargs": {}, "head": {}}}, "bundle.json is damaged"),
    ({"activation": "eval"}, "bundle.json is damaged"),
    ({"architecture": {"builder": "mobilenet_v3_small", "kwargs": {}, "head": {"path": "classifier.3", "layers": [["Linear", 1024, 9]]}}},
     "weights do not fit"),
])
def test_a_bundle_that_can_not_be_is_explained(bundle: Path, tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        load_bundle(rezipped(bundle, tmp_path / "x.zip", bundle=about(bundle, **changes)))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_description_that_is_no_description_is_explained(bundle: Path, tmp_path: Path, text: bytes) -> None:
    with pytest.raises(ModelError, match="bundle.json is damaged"):
        load_bundle(rezipped(bundle, tmp_path / "x.zip", bundle=text))


def test_weights_that_were_cut_off_are_explained(bundle: Path, tmp_path: Path) -> None:
    half = (bundle / "model.safetensors").read_bytes()[:1_000_000]
    with pytest.raises(ModelError, match="model.safetensors is damaged"):
        load_bundle(rezipped(bundle, tmp_path / "x.zip", model=half))


def test_a_zip_that_was_cut_off_is_explained(bundle: Path, tmp_path: Path) -> None:
    path = rezipped(bundle, tmp_path / "x.zip")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ModelError, match="The zip is damaged"):
        load_bundle(path)


def test_a_missing_bundle_is_explained(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="This model is not here"):
        load_bundle(tmp_path / "none.zip")


def test_a_loaded_model_is_ready_to_be_asked(bundle: Path) -> None:
    loaded: nn.Module = load_bundle(bundle).model.module
    assert not any(part.training for part in loaded.modules())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
