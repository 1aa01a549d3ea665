"""Changes to a dataset: each makes a new version from one that stays as it is. Items are named by their positions in the version."""
from __future__ import annotations

from dataclasses import dataclass, field

from core.data.versions import Version, add_version
from core.specs import DataSpec
from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Edit:
    """The changed version and what was done, as a template of the translation catalogue, filled by `params`."""
    version: Version
    what: str
    params: dict[str, str | int | float] = field(default_factory=dict)


def save(ws: Workspace, dataset_id: str, owner: str, edit: Edit) -> DataSpec:
    """Make the edit's version the current one of its dataset."""
    return add_version(ws, dataset_id, owner, edit.version, edit.what, **edit.params)
