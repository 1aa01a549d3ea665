"""The words that go home with a network: README.md and LICENSE.txt. Torch-free."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Protocol

from core.bundle.kinds import Kind
from core.objectives import objective

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


def readme(*, about: Mapping[str, Any], kind: Kind, files: Sequence[str]) -> str:
    """README.md: what it is, how good, how to run it, its labels, its limits, its licence. `about` is bundle.json, `files` the names of
    the bundle's files."""
    words, base, labels = kind.words, about["base"], about["labels"]
    made = datetime.fromtimestamp(about["created"], timezone.utc).strftime("%Y-%m-%d")
    began = (f"“{base['title']}” (which learned from {base['learnt_from']}), trained further on your labels"
             if base["pretrained"] else f"“{base['title']}”, trained from random weights")
    listed = "\n".join(f"{i}. {escape(label)}" for i, label in enumerate(labels, 1))
    limits = "\n".join(f"- {limit}" for limit in words.limits)
    return f"""# {escape(about["name"]) or "A fine-tuned network"}

A network that {words.does.format(n=len(labels))}. It is
{began}, {made}.

## How good it is

{_how_good(about["objective"], about["scores"], words.items)}

## Run it

Needs Python 3.10 or newer.

```
pip install {" ".join(kind.installs(about["architecture"]))}
{kind.command}
```

{words.usage} In Python:

```python
import predict
model = predict.load(".")
print(model.labels, predict.predict(model, [{words.example}]))
```

`predict.py` stands alone; it prepares {words.prepared(about["preprocess"])}.
{words.elsewhere(about, files)}
## Labels

{listed}

## What it can't do

{limits}

## Licence

`predict.py` is under the Apache License 2.0. The network began as “{base["title"]}”: {base["licence"].rstrip(".")}. See `LICENSE.txt`.
"""


def _how_good(objective_key: str, scores: Mapping[str, Any], items: str) -> str:
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
                f"The score looks better than it is: expect a little less on new {items}.")
    return f"{said}\n\nThis was measured on test items that it never saw while it was trained."


def licence_note(source: BaseModel, items: str) -> str:
    """LICENSE.txt: which part is under what. `items`: what it learned from, "pictures"."""
    title, licence = source.title, source.licence.rstrip(".")
    return f"""predict.py
    Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0
    Provided "as is", without warranties or conditions of any kind.

model.safetensors
    Trained further from "{title}" ({source.key}). Licence of those weights: {licence}.
    Its terms go on to apply to what was made from them.

Labels, and what was learned from your {items}
    Belong to whoever owns the {items}; nothing is added to their rights.
"""
