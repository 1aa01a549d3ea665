"""Networks of pictures from the hub beside their libraries' own classes; what they promise as blocks is in `test_block_contract`."""
from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from core.models.vision.architecture import rebuild_seeing
from core.models.vision.family import TRUNKS
from tests.core.models.tiny_vision import CONFIGS, POOLINGS, SIDE, network_of, theirs


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.rand(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_every_known_kind_is_tried() -> None:
    assert {config.get("model_type", "timm_wrapper") for config in CONFIGS.values()} == set(TRUNKS)


@pytest.mark.parametrize("case", list(CONFIGS))
def test_with_another_pooling_the_blocks_are_the_original_too(case: str, pictures: Tensor) -> None:
    network = network_of(case, POOLINGS[case])
    with torch.no_grad():
        assert torch.equal(network(pictures), network.model(pictures))


@pytest.mark.parametrize("kind", [case for case in CONFIGS if "model_type" in CONFIGS[case]])
def test_with_its_own_pooling_it_is_the_librarys_class_for_labels(kind: str, pictures: Tensor) -> None:
    model, ours = theirs(kind), network_of(kind)
    ours.model.trunk.load_state_dict(model.base_model.state_dict())
    ours.model.head.load_state_dict([part for part in model.modules() if isinstance(part, nn.Linear)][-1].state_dict())
    with torch.no_grad():
        assert torch.equal(ours(pictures), model(pictures).logits)


@pytest.mark.parametrize("config", [
    {"model_type": "vit", "auto_map": {}}, {"model_type": "timm_wrapper", "architecture": "hf-hub:somebody/something"},
    {"model_type": "timm_wrapper", "architecture": "test_vit", "model_args": {"checkpoint_path": "/x"}}])
def test_a_description_can_not_ask_for_code_or_files(config) -> None:
    with pytest.raises(ValueError, match="may not hold|not the name"):
        rebuild_seeing({"config": config, "pooling": "own", "head": [["Identity"]]})
