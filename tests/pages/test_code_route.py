"""What belongs beside a script is its owner's alone, and of the version named."""
from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator

import pytest

from core.code.kit import picture_name
from core.data.versions import load_version
from core.workspace import Workspace, write_atomic
from pages.routes import kit, tokens
from tests.pages.served import Served, served
from tests.pages.test_media_routes import dataset, picture


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(kit.ROUTES) as running:
        yield running


def test_the_zip_holds_the_items_and_the_files_of_the_model(server: Served, ws: Workspace) -> None:
    data = dataset(ws, "data1", "local", picture(ws, "red"))
    theirs = dataset(ws, "data2", "somebody", picture(ws, "blue"))

    def ask(dataset_id: str, **claims: str):
        return server.ask("GET", f"/graft/kit/{dataset_id}.zip?token={tokens.mint(ws, 'local', 'kit', **claims)}")

    for item in load_version(ws, data).items:
        write_atomic(ws.blob(item.sha), ws.thumb(item.sha).read_bytes())
    answer = ask("data1", dataset="data1", version=data.version, model="graft-resnet10")
    assert answer.status == 200, answer.body[:500]
    item = load_version(ws, data).items[0]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None and {"items.jsonl", "weights.safetensors", picture_name(item)} <= set(archive.namelist())
        assert archive.read(picture_name(item)) == ws.blob(item.sha).read_bytes()
        listed = json.loads(archive.read("items.jsonl").splitlines()[0])
        assert (listed["file"], listed["split"], listed["name"]) == (picture_name(item), item.split, item.name)
    assert ask("data1", dataset="data2", version=data.version, model="graft-resnet10").status == 403
    assert ask("data2", dataset="data2", version=theirs.version, model="graft-resnet10").status == 403
