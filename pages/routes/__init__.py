"""Every route and socket of ours, as the app mounts them beside Streamlit's own."""
from __future__ import annotations

from starlette.routing import BaseRoute, Route, WebSocketRoute
from streamlit import config

from pages.routes import kit, live, media, owner, upload


def _under(base: str, routes: list[BaseRoute]) -> list[BaseRoute]:
    """The routes below a base path, one by one: a Mount would answer for everything below it, Streamlit's pages included."""
    moved: list[BaseRoute] = []
    for route in routes:
        if isinstance(route, WebSocketRoute):
            moved.append(WebSocketRoute(f"/{base}{route.path}", route.endpoint))
        else:
            assert isinstance(route, Route), f"unknown kind of route: {route!r}"
            moved.append(Route(f"/{base}{route.path}", route.endpoint, methods=sorted(route.methods or ())))
    return moved


ROUTES: list[BaseRoute] = [*upload.ROUTES, *media.ROUTES, *kit.ROUTES, *owner.ROUTES, *live.ROUTES]
_base = (config.get_option("server.baseUrlPath") or "").strip("/")
if _base:  # Streamlit puts only its own routes under it
    ROUTES = _under(_base, ROUTES)
