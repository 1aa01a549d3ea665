"""Every route and socket of ours, as the app mounts them beside Streamlit's own."""
from __future__ import annotations

from starlette.routing import BaseRoute, Mount
from streamlit import config

from pages.routes import live, media, owner, upload


def _under_base_path(routes: list[BaseRoute]) -> list[BaseRoute]:
    """Streamlit puts only its own routes under `server.baseUrlPath`."""
    base = (config.get_option("server.baseUrlPath") or "").strip("/")
    return [Mount(f"/{base}", routes=routes)] if base else routes


ROUTES: list[BaseRoute] = _under_base_path([*upload.ROUTES, *media.ROUTES, *owner.ROUTES, *live.ROUTES])
