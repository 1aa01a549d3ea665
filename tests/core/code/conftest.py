"""One workspace for all trainings here, with data that is imported once."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.data.versions import Version, create_dataset, load_version
from core.specs import DataSpec
from core.workspace import Workspace
from tests.core.jobs.queued import dataset
from tests.core.jobs.texts import text_dataset

Derived = Callable[[str, Callable[[Version], Version]], DataSpec]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(tmp_path_factory.mktemp("scripts") / "workspace")


@pytest.fixture(scope="session")
def pictures(shop: Workspace, tmp_path_factory: pytest.TempPathFactory) -> DataSpec:
    """Seven of each of three labels."""
    return dataset(shop, tmp_path_factory.mktemp("data"), n=7)


@pytest.fixture(scope="session")
def texts(shop: Workspace, tmp_path_factory: pytest.TempPathFactory) -> DataSpec:
    return text_dataset(shop, tmp_path_factory.mktemp("data"), n=7)


@pytest.fixture(scope="session")
def derived(shop: Workspace, pictures: DataSpec) -> Derived:
    """The pictures with other labels, by a name."""
    known = dict[str, DataSpec]()

    def made(name: str, change: Callable[[Version], Version]) -> DataSpec:
        if name not in known:
            version = change(load_version(shop, pictures))
            known[name] = replace(create_dataset(shop, name, name, "local", version), objective=version.objective)
        return known[name]
    return made
