"""Collecting pictures label by label, from the first card to the import."""
from __future__ import annotations

from collections.abc import Iterable

from pages.routes.tokens import mint
from pages.ui import importer, state
from pages.ui.components.collect import collect

NAME_LENGTH = 60
"""Characters of a dataset's name."""


def collector(place: str) -> None:
    """Draw the cards; when the reader wants to use the pictures, start reading them as a dataset named after its classes."""
    upload_id = importer.inbox_id("collect")
    done = collect(mint(state.workspace(), state.me(), "upload", upload=upload_id), upload_id=upload_id,
                   key=f"{place}.collect.{upload_id}.{importer.refusals()}")
    if done and done.names:
        importer.begin(upload_id, name=_dataset_name(done.names.values()), folders=done.names, keep=True)


def _dataset_name(classes: Iterable[str]) -> str:
    """"cats, dogs", and "…" for those that find no room."""
    name = ", ".join(classes)
    return name if len(name) <= NAME_LENGTH else name[:NAME_LENGTH].rsplit(",", 1)[0] + " …"
