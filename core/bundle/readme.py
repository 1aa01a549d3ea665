"""The words that go home with a network: README.md and LICENSE.txt. Torch-free."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Protocol

from core.bundle.kinds import Kind
from core.objectives import Objective, objective

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
    @property
    def since(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Says:
    """What README.md says of an objective. `answer(labels, item)` completes “… and says …”; `limit` is about an {item}; `heading` stands above
    the labels."""
    answer: Callable[[Sequence[str], str], str]
    limit: str
    heading: str = "Labels"


ONE_OF_THEM = "It always answers with one of its labels, also for a {item} that has to do with none of them."
SAYS: dict[str, Says] = {
    "single_label": Says(lambda labels, item: f"which of {len(labels)} labels it carries", ONE_OF_THEM),
    "binary": Says(lambda labels, item: f"which of two labels it carries; what is looked for is “{escape(labels[-1])}”", ONE_OF_THEM),
    "multi_label": Says(lambda labels, item: f"which of {len(labels)} labels it carries: several, one, or none",
                        "It judges each label by itself, and knows nothing of other labels that a {item} could carry."),
    "regression": Says(lambda labels, item: f"a number: {escape(labels[0])}", "It answers any {item} with a number, also one that has none.",
                       "Number"),
}
"""By objective."""


def escape(text: str) -> str:
    """Text that somebody typed, as Markdown that shows exactly it: one line, no links, pictures, markup or HTML."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+", " ", text).strip()
    return "".join(f"\\{letter}" if letter in MARKUP else letter for letter in line)


def readme(*, about: Mapping[str, Any], kind: Kind, files: Sequence[str]) -> str:
    """README.md: what it is, how good, how to run it, its labels, its limits, its licence. `about` is bundle.json, `files` the names of
    the bundle's files."""
    words, base, labels = kind.words, about["base"], about["labels"]
    made = datetime.fromtimestamp(about["created"], timezone.utc).strftime("%Y-%m-%d")
    since = f", then in {', '.join(f'“{escape(name)}”' for name in base['since'])}" if base["since"] else ""
    began = (f"“{escape(base['title'])}” (which learned from {base['learnt_from'].rstrip('.')}{since}), trained further on your labels"
             if base["pretrained"] else f"“{escape(base['title'])}”, trained from random weights")
    listed = "\n".join(f"{i}. {escape(label)}" for i, label in enumerate(labels, 1))
    says = SAYS[about["objective"]]
    limits = "\n".join(f"- {limit}" for limit in (says.limit.format(item=words.item), *words.limits))
    return f"""# {escape(about["name"]) or "A fine-tuned network"}

A network that {words.does} and says {says.answer(labels, words.item)}. It is
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
## {says.heading}

{listed}{f" ({escape(about['unit'])})" if about.get("unit") else ""}

## What it can't do

{limits}

## Licence

`predict.py` is under the Apache License 2.0. The network began as “{escape(base["title"])}”: {base["licence"].rstrip(".")}. See `LICENSE.txt`.
"""


def _how_good(objective_key: str, scores: Mapping[str, Any], items: str) -> str:
    if not scores:
        return "It has not been measured: there were no items to test it on."
    said = _score(objective(objective_key), scores)
    if scores.get("overruled"):
        said += (f"\n\nNear-copies of {scores['overruled']} of the items stood on both sides of the split. This was known and accepted "
                 "before the training; the score looks better than it is.")
    if scores["used_for_choosing"]:
        return (f"{said}\n\nThis was measured on the validation items, which were also used for choosing the best moment of the training. "
                f"The score looks better than it is: expect a little less on new {items}.")
    return f"{said}\n\nThis was measured on test items that it never saw while it was trained."


def _score(row: Objective, scores: Mapping[str, Any]) -> str:
    """The headline with its range. Where the metric is no share of right items (`k` is None), what it is stands beside it; where so few
    items tell nothing of the range, that is said."""
    unit = "%" if row.percent else scores.get("unit", "")
    score, low, high = (None if scores[key] is None else f"{100 * scores[key]:.0f}" if row.percent else f"{scores[key]:.3g}"
                        for key in ("score", "low", "high"))
    tail = f" {escape(unit)}" if unit else ""
    counted = (f"{scores['k']} of {scores['n']} right." if scores.get("k") is not None
               else f"{row.metric_explanation} Measured on {scores['n']} items.")
    headline = f"**{row.metric_label} {score}{tail}**"
    if low is None or high is None:
        return f"{headline}: {counted} Too few items to tell how sure that is."
    return (f"{headline} ({low} to {high}{tail}): {counted} The true value is likely {low} to {high}{tail}: such a range holds in "
            "95 of 100 tests.")


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
