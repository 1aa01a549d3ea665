"""Thumbnails, the bundle and the list of items to take home, and the chart library: what a page shows or offers by its address."""
from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from core.data.export import items_csv
from core.data.texts import load_texts
from core.data.versions import load_dataset, load_version
from core.errors import NotAllowed, NotFound, UserError
from core.jobs.runs import load_run
from core.specs import DataSpec
from core.workspace import Workspace
from pages.routes.answers import refusal, safe
from pages.routes.guard import Caller, check_place, guarded

FOREVER = "max-age=31536000, immutable"


@guarded("thumbs")
async def thumb(request: Request, caller: Caller, ws: Workspace) -> Response:
    """The thumbnail of an item of the dataset that the token names (claim `dataset`; the newest version, or the claim `version`).

    Thumbnails are shared by all owners, so the token alone is not enough: the item must be in a dataset of the caller's.
    """
    sha = request.path_params["sha"]
    dataset = load_dataset(ws, caller.claims.get("dataset", ""), caller.owner)
    wanted = caller.claims.get("version") or dataset.versions[-1]
    if wanted not in dataset.versions or sha not in _shas(ws, dataset.id, wanted):
        raise NotAllowed("This picture is not in your dataset.", "Only pictures of your own datasets are shown.",
                         "Reload the page and try again.")
    path = ws.thumb(sha)
    if not path.is_file():
        return Response(status_code=404, headers={"Cache-Control": "no-store"})
    return FileResponse(path, media_type="image/jpeg", headers={"Cache-Control": f"private, {FOREVER}"})


@guarded("bundle")
async def bundle(request: Request, caller: Caller, ws: Workspace) -> Response:
    """A run's `bundle.zip` as a download, named by the claim `name`. The claim `run` and the run's own owner must fit."""
    run = request.path_params["run"]
    if caller.claims.get("run") != run:
        raise NotAllowed("This link is for something else.", "It was made for another purpose.", "Reload the page and try again.")
    load_run(ws, run, caller.owner)
    path = ws.run(run) / "bundle.zip"
    if not path.is_file():
        raise NotFound("There is nothing to download yet.", "The run has no finished model.", "Wait until the training has ended.")
    return FileResponse(path, media_type="application/zip", filename=file_name(caller.claims.get("name", "")),
                        headers={"Cache-Control": "private, no-cache"})


@guarded("items")
async def items(request: Request, caller: Caller, ws: Workspace) -> Response:
    """The items of a dataset as CSV, those of the version in the claim `version`."""
    dataset = load_dataset(ws, request.path_params["dataset"], caller.owner)
    wanted = caller.claims.get("version", "")
    if caller.claims.get("dataset") != dataset.id or wanted not in dataset.versions:
        raise NotAllowed("This link is for something else.", "It was made for another purpose.", "Reload the page and try again.")
    version = load_version(ws, DataSpec(dataset.id, wanted))
    name = quote(f"{file_name(dataset.name).removesuffix('.zip')}.csv")
    return StreamingResponse(items_csv(version, load_texts(ws, dataset.id)), media_type="text/csv", headers={
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "private, no-store"})


async def plotly(request: Request) -> Response:
    """The chart library that came with Plotly for Python. The same for everybody: only the place is checked."""
    try:
        check_place(request)
    except UserError as error:
        return refusal(request, error)
    # an address without the version would keep an old library for a year after an update
    lasting = FOREVER if request.query_params.get("v") == version("plotly") else "max-age=3600"
    return safe(FileResponse(_plotly_file(), media_type="text/javascript", headers={"Cache-Control": f"public, {lasting}"}))


def plotly_address() -> str:
    """Where the browser finds the chart library, relative to the app's base address."""
    return f"graft/vendor/plotly.min.js?v={version('plotly')}"


def file_name(name: str) -> str:
    """A user's text as the name of a zip that every system accepts; never empty, never a path."""
    kept = "".join(" " if unicodedata.category(c)[0] == "C" or c in '\\/:*?"<>|' else c for c in name.removesuffix(".zip"))
    return f"{' '.join(kept.split())[:80].strip('. ') or 'model'}.zip"


@lru_cache(maxsize=32)
def _shas(ws: Workspace, dataset: str, version_id: str) -> frozenset[str]:
    return frozenset(item.sha for item in load_version(ws, DataSpec(dataset, version_id)).items)


@cache
def _plotly_file() -> Path:
    package = find_spec("plotly")
    assert package is not None and package.origin is not None, "plotly is one of our requirements"
    return Path(package.origin).parent / "package_data" / "plotly.min.js"


ROUTES: list[BaseRoute] = [
    Route("/graft/thumb/{sha}", thumb),
    Route("/graft/bundle/{run}.zip", bundle),
    Route("/graft/items/{dataset}.csv", items),
    Route("/graft/vendor/plotly.min.js", plotly),
]
