"""Names of tensors that earlier versions of transformers gave, and that files published for it bear to this day."""
from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import PrefixChange, WeightRenaming, apply_renamings


def names_now(model: nn.Module, names: Iterable[str]) -> dict[str, str]:
    """What the library calls the tensors of a file today -> their names in the file, by the renamings of its own loader. A name behind a
    prefix keeps that; one that is not old stays. `model` is, or holds, a network of transformers."""
    trunk = next(part for part in model.modules() if isinstance(part, PreTrainedModel)).base_model
    steps = get_model_conversion_mapping(trunk)
    renamings = [step for step in steps if isinstance(step, WeightRenaming) and not isinstance(step, PrefixChange)]
    return {apply_renamings(name, renamings): name for name in names}
