"""Pictures in a script, whatever network looks at them. Torch-free."""
from __future__ import annotations

from core.code.asked import Asked, Part, part, scale
from core.code.items import GENERATOR, HEADING, joined, sides
from core.preprocess import Preprocess
from core.specs import Augmentation


def settings(asked: Asked) -> str:
    how: Preprocess = asked.preprocess
    return (f"RESIZE, SIDE = {how.resize_size}, {how.input_size}  # pixels: of the shorter side, and of the square that is seen\n"
            f"MEAN = torch.tensor({list(how.mean)!r}).view(3, 1, 1)\nSTD = torch.tensor({list(how.std)!r}).view(3, 1, 1)\n{scale(asked)}")


def data(asked: Asked) -> Part:
    """From files to `sides` and `batches`."""
    how: Preprocess = asked.preprocess
    order = "torch.randperm(len(items), generator=generator).split(BATCH)"
    given = f"    order = {order}\n{joined(asked)}    return order" if asked.adds_to_batches else f"    return {order}"
    batches = f'''

def batches(epoch):
    """The order in which an epoch shows the items, in batches."""
    {GENERATOR}
{given}'''
    return part(f'''
{HEADING}

{"pi_heif.register_heif_opener()  # photos of phones" + chr(10) * 3 if asked.heic else ""}def picture(path):
    """The middle of a picture, upright and on white: (3, RESIZE, RESIZE) bytes."""
    with Image.open(path) as image:
        if image.format in ("JPEG", "MPO"):
            image.draft(None, (2 * RESIZE, 2 * RESIZE))  # quicker, and still large enough
        image = ImageOps.exif_transpose(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB")
    resized = [RESIZE * length // min(image.size) for length in image.size]
    starts = [(length - SIDE) // 2 - (RESIZE - SIDE) // 2 for length in resized]
    box = tuple((start + more) * full / length for more in (0, RESIZE)
                for start, full, length in zip(starts, image.size, resized))
    image = image.resize((RESIZE, RESIZE), Image.Resampling.{how.interpolation.upper()}, box)
    return torch.tensor(np.array(image)).permute(2, 0, 1)


{sides(asked, 'torch.stack([picture(row["file"]) for row in own])', "all its pictures, held in memory")}
{"" if asked.at_once else batches}
''', "json", "Image", "np", *(("pi_heif",) if asked.heic else ()))


def logits(asked: Asked, said: str) -> Part:
    """The function `logits_of`. `said`: lines that end in what the network says of the pictures `x`."""
    how: Preprocess = asked.preprocess
    offset = (how.resize_size - how.input_size) // 2
    middle = f"[..., {offset}:{offset} + SIDE, {offset}:{offset} + SIDE]" if how.resize_size != how.input_size else ""
    seen, changed, training = "items[some]", "", ""
    if asked.augments:
        seen, training = "x", ", training=False"
        changed = "    x = items[some]\n    if training:\n        x = torch.stack([augment(picture) for picture in x])\n"
    return part(f'''
{_augmentation(asked.config.augmentation, how) if asked.augments else ""}def logits_of(items, some{training}):
    """What the network says of some pictures."""
{changed}    x = ({seen}{middle}.float() / 255 - MEAN) / STD
{said}
''', *(("v2",) if asked.augments else ()))


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
