"""The words that go home with a network: README.md and LICENSE.txt. Torch-free."""
from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, Protocol

from core.objectives import objective
from core.preprocess import Preprocess
from core.specs import RunSpec

MARKUP = frozenset("\\`*_{}[]()<>#+-=!|~&:.@$^")


class BaseModel(Protocol):
    """What a bundle says about the network it began as."""
    @property
    def key(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def learnt_from(self) -> str: ...


def escape(text: str) -> str:
    """Text that somebody typed, as Markdown that shows exactly it: one line, no links, pictures, markup or HTML."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+", " ", text).strip()
    return "".join(f"\\{letter}" if letter in MARKUP else letter for letter in line)


def readme(*, labels: Sequence[str], preprocess: Preprocess, objective_key: str, run: RunSpec, scores: dict[str, Any],
           source: BaseModel) -> str:
    """README.md: what it is, how good, how to run it, its labels, its limits, its licence."""
    made = datetime.fromtimestamp(run.created, timezone.utc).strftime("%Y-%m-%d")
    began = (f"“{source.title}” (which learned from {source.learnt_from}), trained further on your labels"
             if run.model.pretrained else f"“{source.title}”, trained from random weights")
    return f"""# {escape(run.name) or "A fine-tuned network"}

A network that looks at a picture and says which of {len(labels)} labels it carries. It is
{began}, {made}.

## How good it is

{_how_good(objective_key, scores)}

## Run it

Needs Python 3.10 or newer.

```
pip install torch torchvision pillow safetensors
python predict.py picture.jpg
```

Give several pictures at once, `--top 5` for more labels, `--json` for output that programs can read. In Python:

```python
import predict
model = predict.load(".")
print(model.labels, predict.predict(model, ["picture.jpg"]))
```

`predict.py` stands alone; it prepares a picture exactly as it was prepared in training ({preprocess.resize_size} pixels on the shorter
side, the middle {preprocess.input_size} x {preprocess.input_size} pixels, {preprocess.interpolation}).

## Labels

{chr(10).join(f"{i}. {escape(label)}" for i, label in enumerate(labels, 1))}

## What it can't do

- It always answers with one of its labels, also for a picture that shows none of them.
- A high probability is no proof. Pictures unlike those it learned from (other light, another camera or background) are answered worse.
- It is only as fair as the pictures it learned from. Where a wrong answer would hurt somebody, let a person decide.

## Licence

`predict.py` is under the Apache License 2.0. The network began as “{source.title}”: {source.licence.rstrip(".")}. See `LICENSE.txt`.
"""


def _how_good(objective_key: str, scores: dict[str, Any]) -> str:
    if not scores:
        return "It has not been measured: there were no items to test it on."
    row = objective(objective_key)
    show = (lambda value: f"{100 * value:.0f} %") if row.percent else (lambda value: f"{value:.3g}")
    low, high = (f"{100 * scores[key]:.0f}" if row.percent else f"{scores[key]:.3g}" for key in ("low", "high"))
    unit = " %" if row.percent else ""
    said = (f"**{row.metric_label} {show(scores['score'])}** ({low} to {high}{unit}): {scores['k']} of {scores['n']} right. The true rate "
            f"is likely {low} to {high}{unit}: such a range holds in 95 of 100 tests.")
    if scores.get("overruled"):
        said += (f"\n\nNear-copies of {scores['overruled']} of the items stood on both sides of the split. This was known and accepted before the "
                 "training; the score looks better than it is.")
    if scores["used_for_choosing"]:
        return (f"{said}\n\nThis was measured on the validation items, which were also used for choosing the best moment of the training. "
                "The score looks better than it is: expect a little less on new pictures.")
    return f"{said}\n\nThis was measured on test items that it never saw while it was trained."


def licence_note(source: BaseModel) -> str:
    """LICENSE.txt: which part is under what."""
    title, licence = source.title, source.licence.rstrip(".")
    return f"""predict.py
    Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0
    Provided "as is", without warranties or conditions of any kind.

model.safetensors
    Trained further from "{title}" ({source.key}). Licence of those weights: {licence}.
    Its terms go on to apply to what was made from them.

Labels, and what was learned from your pictures
    Belong to whoever owns the pictures; nothing is added to their rights.
"""
