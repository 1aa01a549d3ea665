"""How routes say no: a UserError as JSON, in the reader's language, with headers that let a browser guess nothing."""
from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from core.errors import NotAllowed, NotFound, UserError
from pages.ui.i18n import Language, catalogue

# "no-referrer" would also make a browser send our own forms with `Origin: null`
SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"}


def language_of(connection: HTTPConnection) -> Language:
    """The page's language where it sent one (`?lang=`), else the browser's."""
    wanted = connection.query_params.get("lang") or connection.headers.get("accept-language", "")
    return "zh-CN" if wanted.lower().startswith("zh") else "en"


def translated(connection: HTTPConnection, template: str, params: Mapping[str, object]) -> str:
    return catalogue(language_of(connection)).get(template, template).format(**params) if template else ""


def refusal(connection: HTTPConnection, error: UserError, status: int | None = None) -> JSONResponse:
    """`{title, cause, fix}`: 404 for what is not there, 403 for what is not theirs, 400 otherwise."""
    if status is None:
        status = 404 if isinstance(error, NotFound) else 403 if isinstance(error, NotAllowed) else 400
    said = {key: translated(connection, getattr(error, key), error.params) for key in ("title", "cause", "fix")}
    return safe(JSONResponse(said, status, headers={"Cache-Control": "no-store"}))


def safe(response: Response) -> Response:
    for name, value in SAFE.items():
        response.headers[name] = value
    return response
