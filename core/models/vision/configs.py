"""The config of a network of pictures: its own where it is on this machine, else what is known of it. Torch-free."""
from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from core.models.hub.checkpoint import of_timm
from core.models.hub.configs import config_of as hub_config_of
from core.models.rows import ModelRow

KNOWN = Path(__file__).with_name("configs.json")
TIMM = "timm_wrapper"
"""What transformers calls the networks of timm."""


def config_of(row: ModelRow) -> dict[str, Any]:
    """As `core.models.hub.configs.config_of`."""
    return hub_config_of(row, known_configs())


@cache
def known_configs() -> dict[str, dict[str, Any]]:
    """By model key: what the published config.json says of the network."""
    return json.loads(KNOWN.read_text(encoding="utf-8"))


def model_type(values: dict[str, Any]) -> str:
    """The kind of network that a config.json is for; empty when it does not say."""
    return TIMM if of_timm(values) else str(values.get("model_type") or "")
