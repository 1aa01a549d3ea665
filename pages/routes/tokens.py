"""Signed tokens: what a page hands the browser so that it may use one route for one purpose."""
from __future__ import annotations

import math
import time
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer

from core.owners import secret
from core.workspace import Workspace

LIFETIME_S = {"local": 600}
"""By scope, in seconds; any other lives a week."""
WEEK_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Token:
    owner: str
    scope: str
    claims: dict[str, str]


def mint(ws: Workspace, owner: str, scope: str, **claims: str) -> str:
    """A token that lets `owner` use the routes of `scope`, for a week at most and six days at least.

    The same arguments give the same text for a day: an address that carries it stays the same when a page runs again, so the
    browser's cache holds.
    """
    lifetime_s = LIFETIME_S.get(scope, WEEK_S)
    step_s = lifetime_s / 7
    until = int((math.floor(time.time() / step_s) + 7) * step_s)
    return _signer(ws).dumps({"owner": owner, "scope": scope, "claims": claims, "until": until})


def read(ws: Workspace, token: str) -> Token | None:
    """What a token says, or None when it was not made here, was changed or has expired."""
    try:
        said = _signer(ws).loads(token)
    except BadSignature:
        return None
    if said["until"] < time.time():
        return None
    return Token(said["owner"], said["scope"], said["claims"])


def _signer(ws: Workspace) -> URLSafeSerializer:
    return URLSafeSerializer(secret(ws), salt="graft route token")
