"""Thumbnails and bundles are for their owner alone, whatever hash or id somebody guesses."""
from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from PIL import Image

from core import owners
from core.data.versions import Item, Version, add_version, create_dataset
from core.specs import BlockPlan, DataSpec, FreezePlan, ModelSpec, RunSpec, TrainConfig, to_json
from core.workspace import Workspace, write_atomic
from pages.routes import media, tokens
from tests.pages.served import Answer, Served, served


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(media.ROUTES) as running:
        yield running


def picture(ws: Workspace, colour: str) -> str:
    """A thumbnail in the workspace, and its hash."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "JPEG")
    sha = hashlib.sha256(out.getvalue()).hexdigest()
    write_atomic(ws.thumb(sha), out.getvalue())
    return sha


def dataset(ws: Workspace, dataset_id: str, owner: str, *shas: str) -> DataSpec:
    return create_dataset(ws, dataset_id, dataset_id, owner, Version(("a",), tuple(Item(sha, f"{sha}.jpg", 0, "train") for sha in shas)))


def thumb(server: Served, ws: Workspace, sha: str, owner: str = "local", method: str = "GET", cookie: str = "", **claims: str) -> Answer:
    token = tokens.mint(ws, owner, "thumbs", **claims)
    return server.ask(method, f"/graft/thumb/{sha}?token={token}", **({"cookie": cookie} if cookie else {}))


def run(ws: Workspace, run_id: str, owner: str, bundle: bool = True) -> bytes:
    spec = RunSpec(run_id, "flowers 3", owner, 1.0, DataSpec("data1", "v1"), ModelSpec("graft-resnet10"),
                   FreezePlan((BlockPlan("head", "trained"),)), TrainConfig())
    write_atomic(ws.run(run_id) / "run.json", to_json(spec))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("README.md", "read me" * 500)
    if bundle:
        write_atomic(ws.run(run_id) / "bundle.zip", out.getvalue())
    return out.getvalue()


def test_a_thumbnail_of_ones_own_dataset_is_shown_and_kept_by_the_browser(server: Served, ws: Workspace) -> None:
    sha = picture(ws, "red")
    dataset(ws, "data1", "local", sha)
    answer = thumb(server, ws, sha, dataset="data1")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/jpeg", ws.thumb(sha).read_bytes())
    assert "private" in answer.headers["cache-control"] and "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_guessed_hash_outside_the_dataset_is_refused(server: Served, ws: Workspace) -> None:
    mine, theirs = picture(ws, "red"), picture(ws, "blue")
    dataset(ws, "data1", "local", mine)
    dataset(ws, "data2", "somebody", theirs)
    assert thumb(server, ws, theirs, dataset="data1").status == 403
    assert thumb(server, ws, theirs, dataset="data2").status == 403, "a dataset of somebody else's"
    assert thumb(server, ws, mine, dataset="data3").status == 404
    assert thumb(server, ws, mine).status == 404, "a token without a dataset"
    for odd in ("..%2f..%2fsecret", "a" * 64, mine[:-1], mine.upper()):
        assert thumb(server, ws, odd, dataset="data1").status in (403, 404)


def test_while_sharing_each_sees_only_their_own_pictures(server: Served, ws: Workspace) -> None:
    owners.start_sharing(ws)
    ada, bob = owners.new_owner(ws, "Ada"), owners.new_owner(ws, "Bob")
    hers, his = picture(ws, "red"), picture(ws, "blue")
    dataset(ws, "dataada", ada, hers)
    dataset(ws, "databob", bob, his)
    cookie = f"{owners.COOKIE}={owners.cookie_for(ws, bob)}"
    assert thumb(server, ws, his, bob, cookie=cookie, dataset="databob").status == 200
    assert thumb(server, ws, hers, bob, cookie=cookie, dataset="databob").status == 403
    assert thumb(server, ws, hers, bob, cookie=cookie, dataset="dataada").status == 403
    assert thumb(server, ws, hers, ada, cookie=cookie, dataset="dataada").status == 403, "her token in his browser"


def test_the_newest_version_counts_unless_the_token_names_another(server: Served, ws: Workspace) -> None:
    old, new = picture(ws, "red"), picture(ws, "blue")
    first = dataset(ws, "data1", "local", old)
    assert thumb(server, ws, old, dataset="data1").status == 200
    add_version(ws, "data1", "local", Version(("a",), (Item(new, "n.jpg", 0, "train"),)), "edited")
    assert thumb(server, ws, new, dataset="data1").status == 200
    assert thumb(server, ws, old, dataset="data1").status == 403
    assert thumb(server, ws, old, dataset="data1", version=first.version).status == 200
    assert thumb(server, ws, old, dataset="data1", version="unknown").status == 403


def test_a_missing_thumbnail_is_a_quiet_404(server: Served, ws: Workspace) -> None:
    sha = "ab" * 32
    dataset(ws, "data1", "local", sha)
    answer = thumb(server, ws, sha, dataset="data1")
    assert (answer.status, answer.body, answer.headers["cache-control"]) == (404, b"", "no-store")


def test_a_bundle_is_downloaded_under_a_safe_name(server: Served, ws: Workspace) -> None:
    content = run(ws, "run1", "local")
    token = tokens.mint(ws, "local", "bundle", run="run1", name='猫/狗 "x"\n..\\run.zip')
    answer = server.ask("GET", f"/graft/bundle/run1.zip?token={token}")
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f"attachment; filename*=utf-8''{quote('猫 狗 x .. run.zip')}"
    head = server.ask("HEAD", f"/graft/bundle/run1.zip?token={token}")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(content)))


@pytest.mark.parametrize("typed, named", [("", "model.zip"), ("../..", "model.zip"), ("flowers 3.zip", "flowers 3.zip"),
                                          ("a\r\nset-cookie: x", "a set-cookie x.zip"), ("n" * 300, "n" * 80 + ".zip"),
                                          ("\u202egpj", "gpj.zip")])
def test_any_text_becomes_a_file_name(typed: str, named: str) -> None:
    assert media.file_name(typed) == named


def test_a_bundle_of_somebody_else_or_of_another_run_is_refused(server: Served, ws: Workspace) -> None:
    run(ws, "run1", "local")
    run(ws, "run2", "somebody")
    run(ws, "run3", "local", bundle=False)

    def ask(run_id: str, scope: str = "bundle", **claims: str) -> int:
        return server.ask("GET", f"/graft/bundle/{run_id}.zip?token={tokens.mint(ws, 'local', scope, **claims)}").status

    assert ask("run1", run="run1") == 200
    assert ask("run1", run="run3") == ask("run1") == ask("run2", run="run2") == ask("run1", "thumbs", run="run1") == 403
    assert ask("run3", run="run3") == ask("run9", run="run9") == ask("x", run="x") == 404


def test_the_chart_library_needs_no_token_but_a_name_of_ours(server: Served, ws: Workspace) -> None:
    answer = server.ask("GET", f"/{media.plotly_address()}")
    assert answer.status == 200 and b"plotly.js" in answer.body[:300] and "immutable" in answer.headers["cache-control"]
    assert "immutable" not in server.ask("HEAD", "/graft/vendor/plotly.min.js?v=0").headers["cache-control"]
    assert server.ask("GET", f"/{media.plotly_address()}", host="evil.example").status == 403
    assert server.ask("GET", f"/{media.plotly_address()}", sec_fetch_site="cross-site").status == 403


def test_the_list_of_items_is_its_owners_alone_and_of_the_version_named(server: Served, ws: Workspace) -> None:
    data = dataset(ws, "data1", "local", picture(ws, "red"))
    theirs = dataset(ws, "data2", "somebody", picture(ws, "blue"))

    def ask(dataset_id: str, **claims: str) -> int:
        return server.ask("GET", f"/graft/items/{dataset_id}.csv?token={tokens.mint(ws, 'local', 'items', **claims)}").status

    answer = server.ask("GET", f"/graft/items/data1.csv?token={tokens.mint(ws, 'local', 'items', dataset='data1', version=data.version)}")
    assert answer.status == 200 and answer.headers["content-disposition"] == "attachment; filename*=UTF-8''data1.csv"
    assert answer.body.decode("utf-8-sig").splitlines()[0] == "name,label,split,group" and b",a,train," in answer.body
    assert ask("data1", dataset="data1") == ask("data1", dataset="data2", version=data.version) == 403
    assert ask("data2", dataset="data2", version=theirs.version) == 403
