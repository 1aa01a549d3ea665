"""What lies beside a script for PyTorch, as a download."""
from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from core.code.kit import kit as made
from core.data.versions import load_dataset, load_version
from core.errors import NotAllowed
from core.models.catalog import find
from core.specs import DataSpec
from core.workspace import Workspace
from pages.routes.guard import Caller, guarded


@guarded("kit")
async def kit(request: Request, caller: Caller, ws: Workspace) -> Response:
    """The items of a dataset, of the version in the claim `version`, and the files of the model in the claim `model`, as a zip."""
    dataset = load_dataset(ws, request.path_params["dataset"], caller.owner)
    wanted = caller.claims.get("version", "")
    if caller.claims.get("dataset") != dataset.id or wanted not in dataset.versions:
        raise NotAllowed("This link is for something else.", "It was made for another purpose.", "Reload the page and try again.")
    data, row = DataSpec(dataset.id, wanted), find(caller.claims.get("model", ""), ws, caller.owner)
    return StreamingResponse(made(ws, data, load_version(ws, data), row), media_type="application/zip", headers={
        "Content-Disposition": 'attachment; filename="data.zip"', "Cache-Control": "private, no-store"})


ROUTES: list[BaseRoute] = [Route("/graft/kit/{dataset}.zip", kit)]
