"""How far each block moved from its source weights: ‖w − w₀‖ / ‖w₀‖ over all of a block's parameters. Pages read it without torch."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.specs import FreezePlan, from_json, to_json
from core.workspace import write_atomic

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.models.blocks import Network

Source = dict[str, "dict[str, Tensor]"]
"""By block: its parameters by name, as they were before the training."""


@dataclass(frozen=True, slots=True)
class Change:
    """`moved`: 0.05 is 5 % of the length of the block's weights; 0 where it rested, None where there was nothing to start from."""
    block: str
    moved: float | None


def source_of(network: Network, plan: FreezePlan) -> Source:
    """A copy of what will learn, but for the head, which starts from nothing. Before adapters are put beside it."""
    return {block.name: {name: p.detach().clone() for name, p in network.parameters_of(block).items()}
            for block in network.blocks[:-1] if block.name in plan.trained()}


def changes(network: Network, source: Source) -> list[Change]:
    """One a block, in the order of the network; adapters must be merged."""
    return [*(Change(block.name, _moved(network.parameters_of(block), source.get(block.name, {}))) for block in network.blocks[:-1]),
            Change(network.blocks[-1].name, None)]


def write_changes(folder: Path, moved: list[Change]) -> None:
    write_atomic(folder / "change.json", to_json(tuple(moved), indent=1))


def load_changes(folder: Path) -> tuple[Change, ...]:
    """Those of the run in `folder`; none where it kept none. Raises `SettingsError` for a file that another version wrote."""
    path = folder / "change.json"
    return from_json(tuple[Change, ...], path.read_bytes()) if path.is_file() else ()


def _moved(now: dict[str, nn.Parameter], before: dict[str, Tensor]) -> float:
    apart = sum(float((now[name].detach() - start).double().square().sum()) for name, start in before.items())
    length = sum(float(start.double().square().sum()) for start in before.values())
    return (apart / length) ** 0.5 if length else 0.0
