"""Pictures and torchvision's networks in a script. Torch-free."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.code.asked import PICTURES, Asked, Part, part
from core.code.objectives import LINES
from core.models.own_files import shapes_in
from core.models.pictures.describe import architecture
from core.models.rows import Family
from core.preprocess import Preprocess
from core.specs import Augmentation

INSTALLS = "torch torchvision pillow safetensors"
HEAD_STD = 0.001
FIRST: dict[Family, str] = {"ResNet": "conv1.", "Inception": "Conv2d_1a_3x3.", "ViT": "conv_proj."}
"""Where the names of a network's first layer begin; "features.0." for the others."""
SEEDED_ALIKE: dict[Family, str] = {"VGG": "", "Inception": ",\n                         aux_logits=False, transform_input=True, init_weights=False"}
"""Networks that torchvision lays out in another way when it is asked for their weights, and arguments: the head would then begin with other
numbers."""


def data(asked: Asked) -> Part:
    """From files to `sides`, `batches` and what the network is shown of a picture."""
    how: Preprocess = asked.preprocess
    augmentation = asked.config.augmentation
    draws = _augmentation(augmentation, how) if augmentation.active else ""
    shown = "x = torch.stack([augment(x) for x in items[chosen]]) if training else items[chosen]" if draws else "x = items[chosen]"
    offset = (how.resize_size - how.input_size) // 2
    return part(f'''
{draws}def span(length, shorter):
    """What is seen of one side of a picture, whose shorter side becomes RESIZE pixels."""
    resized = RESIZE * length // shorter
    begin = (resized - SIDE) // 2 - (RESIZE - SIDE) // 2
    return begin * length / resized, (begin + RESIZE) * length / resized


def picture(path):
    """The middle of a picture, upright and on white: (3, RESIZE, RESIZE) bytes."""
    with Image.open(path) as image:
        if image.format in ("JPEG", "MPO"):
            image.draft(None, (2 * RESIZE, 2 * RESIZE))  # quicker, and still large enough
        image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB")
    (left, right), (top, bottom) = (span(length, min(image.size)) for length in image.size)
    size, box = (RESIZE, RESIZE), (left, top, right, bottom)
    image = image.resize(size, Image.Resampling.{how.interpolation.upper()}, box)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def batches(items, epoch):
    """All positions in the order of this epoch."""
    generator = torch.Generator().manual_seed(SEED * 100_003 + epoch)
    order = list(torch.randperm(len(items), generator=generator).split(BATCH))
    if len(order) > 1 and len(order[-1]) == 1:  # a batch of one would upset BatchNorm
        order[-2:] = [torch.cat(order[-2:])]
    return order


sides = {{}}  # by side: all its pictures, held in memory, and what they should be answered with
for side in sorted({{row["split"] for row in rows}}):
    own = [row for row in rows if row["split"] == side]
    items = torch.stack([picture(Path(DATA).parent / row["file"]) for row in own])
    sides[side] = items, {LINES[asked.objective.key].targets}


def logits_of(items, chosen{", training=False" if draws else ""}):
    """What the network says of some pictures."""
    {shown}
    x = x[..., {offset}:{offset} + SIDE, {offset}:{offset} + SIDE].float() / 255  # the middle
    return model((x - MEAN) / STD){_scaled(asked)}
''', "Image", "np", "Path", *(("v2",) if draws else ()))


def settings(asked: Asked) -> str:
    how: Preprocess = asked.preprocess
    scale = f"\nSHIFT, SCALE = {asked.answers.mean!r}, {asked.answers.std!r}  # of the numbers to be learned" if asked.answers.std is not None else ""
    return (f"RESIZE, SIDE = {how.resize_size}, {how.input_size}  # pixels: of the shorter side, and of the square that is seen\n"
            f"MEAN = torch.tensor({list(how.mean)!r}).view(3, 1, 1)\nSTD = torch.tensor({list(how.std)!r}).view(3, 1, 1){scale}")


def about_data(asked: Asked) -> str:
    return f'DATA = "items.csv"  # the list of the items; the pictures lie beside it, in {PICTURES}/'


def _scaled(asked: Asked) -> str:
    return "" if asked.answers.std is None else " * SCALE + SHIFT"


def _augmentation(how: Augmentation, seen: Preprocess) -> str:
    """Close to the app's changes, which are made in one step of its own."""
    pad = seen.resize_size // 4
    padded = how.fill in ("reflect", "edge")
    shift, zoom = (how.shift, how.shift) if how.shift else None, (round(1 - how.zoom, 4), round(1 + how.zoom, 4))
    affine = any((how.rotation_deg, how.shift, how.shear_deg, how.zoom))
    steps = [
        "v2.RandomHorizontalFlip()" if how.flip else "",
        f'v2.Pad({pad}, padding_mode="{how.fill}")' if affine and padded else "",
        f"v2.RandomAffine({how.rotation_deg!r}, {shift!r}, {zoom!r}, {how.shear_deg or None!r},\n"
        f"                    v2.InterpolationMode.BILINEAR, fill={255 if how.fill == 'white' else 0})" if affine else "",
        "v2.CenterCrop(RESIZE)" if affine and padded else "",
        f"v2.ColorJitter({how.colour / 2!r}, {how.colour / 2!r}, {how.colour / 2!r})" if how.colour else "",
    ]
    lines = ",\n    ".join(step for step in steps if step)
    return f"augment = v2.Compose([  # close to the app's changes, not the same draws\n    {lines},\n])\n\n\n"


def network(asked: Asked) -> Part:
    """The pretrained network with its new head."""
    plan = architecture(asked.row, replace(asked.answers, std=None))
    imports = {"models", "nn"}
    if plan["builder"] == "ResNet":
        kwargs = plan["kwargs"]
        made = f"model = resnet.ResNet(resnet.{kwargs['block']}, {kwargs['layers']!r}, num_classes={kwargs['num_classes']!r})"
        imports = {"nn", "resnet"}
    elif asked.row.own_file or not asked.pretrained or asked.row.family in SEEDED_ALIKE:
        made = f'model = models.get_model({plan["builder"]!r}, weights=None{SEEDED_ALIKE.get(asked.row.family, "")})'
    else:
        made = f'model = models.get_model({plan["builder"]!r}, weights={asked.row.weights!r})'
    loaded = _loaded(asked)
    parts = "\n".join(f"model.{path} = {_layers(layers)}" if "." not in path else f"model.set_submodule({path!r}, {_layers(layers)})"
                      for path, layers in ((one["path"], one["layers"]) for one in (plan.get("pool"), plan["head"]) if one))
    return part(f'''
# ---- the network ----

torch.manual_seed(SEED)
{made}
{loaded}{parts}
last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
with torch.no_grad():  # small weights: the first answers are nearly even
    last.weight.normal_(0.0, {HEAD_STD!r}, generator=torch.Generator().manual_seed(SEED))
    last.bias.zero_()
''', *imports, *(("load_file",) if asked.keeps_weights else ()))


def _loaded(asked: Asked) -> str:
    if asked.row.own_file and asked.pretrained:
        first = FIRST.get(asked.row.family, "features.0.")
        before = next((name[:name.index(first)] for name in shapes_in(asked.row) if first in name), "")
        head = asked.modules[asked.row.blocks[-1].name][0]
        return f'''source = {{name.removeprefix({before!r}): tensor for name, tensor in load_file(WEIGHTS).items()}}
source = {{name: x for name, x in source.items() if not name.startswith({head + "."!r})}}
model.load_state_dict(source, strict=False)  # all but the head, which is new
'''
    if asked.keeps_weights:
        return "model.load_state_dict({name: x.float() for name, x in load_file(WEIGHTS).items()})\n"
    if asked.pretrained and asked.row.family in SEEDED_ALIKE:
        dropped = f'\nsource = {{name: x for name, x in source.items() if not name.startswith({asked.row.dropped!r})}}' if asked.row.dropped else ""
        return f'''source = models.get_model_weights({asked.row.builder!r})[{asked.row.weights!r}].get_state_dict(){dropped}
model.load_state_dict(source)
'''
    return ""


def _layers(described: list[list[Any]]) -> str:
    made = [f"nn.{kind}({', '.join(map(repr, arguments))})" for kind, *arguments in described]
    return made[0] if len(made) == 1 else "nn.Sequential(\n    " + ",\n    ".join(made) + ",\n)"


