from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from tests.core.bundle.insects import trained, write_to


@pytest.fixture(scope="session")
def module() -> nn.Module:
    return trained()


@pytest.fixture(scope="session")
def bundle(module: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its bundle, to be read only."""
    return write_to(tmp_path_factory.mktemp("bundle") / "best", module)
