"""The networks of pictures of the Hugging Face Hub that can be chosen without adding them, as rows of facts. Torch-free.

Sizes are four bytes a parameter of the published network, parameters those of the network with the head that is stated (`source_classes`).
Scores are those of the authors' own pages and papers; where none was found that is comparable, none is given.
"""
from __future__ import annotations

from core.models.rows import ModelRow, PictureInput
from core.models.vision.kinds import KINDS, timm_family
from core.preprocess import Channels

APACHE = "Apache-2.0. The ImageNet pictures it learned from are for research use."
TWO_LICENCES = "Apache-2.0 by its page; its authors' code and weights are CC BY-NC 4.0: not for business. ImageNet's pictures are for research use."
ONE_K = "ImageNet-1k: 1.28 million photos of 1,000 kinds of things"
TWENTY_ONE_K = "ImageNet-21k: 14 million photos of 21,000 kinds of things, then ImageNet-1k"
PUBLISHED = "ImageNet-1k validation, 1,000 classes, as published by its authors"
PROBED = "ImageNet-1k validation, 1,000 classes, a linear head on the frozen network, as published by its authors"
HALF: Channels = (0.5, 0.5, 0.5)
NO_HEAD = 2
"""Labels for which parameters are stated of a network that is published without a head."""


def _row(key: str, title: str, repo: str, builder: str, parameters: int, feature_width: int, limits: str, *, resize: int = 256, side: int = 224,
         fixed: bool = False, bilinear: bool = False, half: bool = False, score: float | None = None, score_source: str = PUBLISHED,
         licence: str = APACHE, learnt_from: str = ONE_K, source_classes: int = 1000, more_parameters: int = 0) -> ModelRow:
    """`more_parameters`: of the published file, which Graft leaves out."""
    sees = PictureInput(resize, side, side if fixed else 32, fixed, "bilinear" if bilinear else "bicubic", *((HALF, HALF) if half else ()))
    family = timm_family(repo.partition("/")[2]) if builder.startswith("timm") else KINDS[builder].family
    return ModelRow(
        key=key, title=title, family=family, builder=builder, weights="", weights_file="model.safetensors",
        size_bytes=4 * (parameters + more_parameters), parameters=parameters, feature_width=feature_width, score=score,
        score_source=score_source if score else "", limits=limits, task="image", adapter="vision", input=sees, repo=repo,
        source_classes=source_classes, licence=licence, learnt_from=learnt_from)


VISION_ROWS: tuple[ModelRow, ...] = (
    _row("hf-vit-base", "ViT B/16 (Hugging Face)", "google/vit-base-patch16-224", "vit", 86_567_656, 768,
         "Large and slow without a GPU. It takes pictures of 224 px only.", resize=224, fixed=True, bilinear=True, half=True,
         learnt_from=TWENTY_ONE_K),
    _row("hf-deit-tiny", "DeiT tiny", "facebook/deit-tiny-patch16-224", "vit", 5_717_416, 192,
         "The smallest vision transformer here, and quick enough for a processor. It takes pictures of 224 px only.", fixed=True, score=72.2),
    _row("hf-deit-small", "DeiT small, distilled", "facebook/deit-small-distilled-patch16-224", "deit", 22_051_432, 384,
         "It learned by imitating a convolutional network as well; the second head that it was given for that is left out. It takes pictures of "
         "224 px only.", fixed=True, score=81.2, more_parameters=385_000),
    _row("hf-dinov2-small", "DINOv2 small", "facebook/dinov2-small", "dinov2", 22_058_114, 768,
         "Its features are good as they are: train the head alone first. It has never been told what its pictures show, and looks at many small "
         "squares: slow without a GPU.", score=81.1, score_source=PROBED, learnt_from="142 million photos of the web, without any labels",
         source_classes=NO_HEAD, licence="Apache-2.0"),
    _row("hf-convnext-tiny", "ConvNeXt tiny (Hugging Face)", "facebook/convnext-tiny-224", "convnext", 28_589_128, 768,
         "Accurate; slow to train in full without a GPU.", score=82.1),
    _row("hf-convnextv2-atto", "ConvNeXt V2 atto", "facebook/convnextv2-atto-1k-224", "convnextv2", 3_708_400, 320,
         "Small and accurate for its size. It first learned to fill in hidden parts of pictures.", score=76.7, licence=TWO_LICENCES),
    _row("hf-swin-tiny", "Swin tiny (Hugging Face)", "microsoft/swin-tiny-patch4-window7-224", "swin", 28_288_354, 768,
         "Accurate, but slow to train in full without a GPU. It takes pictures of 224 px only.", resize=224, fixed=True, score=81.2),
    _row("hf-resnet-50", "ResNet-50 (Hugging Face)", "microsoft/resnet-50", "resnet", 25_557_032, 2048,
         "Slow to train in full without a GPU; frozen it is affordable."),
    _row("timm-mobilenetv4-small", "MobileNet v4 small", "timm/mobilenetv4_conv_small.e2400_r224_in1k", "timm-cnn", 3_774_024, 1280,
         "Among the quickest here. Its BatchNorm layers want batches of 16 or more when they train.", score=73.8),
    _row("timm-vit-tiny", "ViT tiny", "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k", "timm-vit", 5_717_416, 192,
         "A small vision transformer that has seen many kinds of things. It takes pictures of 224 px only.", resize=248, fixed=True, half=True,
         score=75.5, learnt_from=TWENTY_ONE_K),
)
