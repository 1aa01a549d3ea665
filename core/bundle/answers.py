"""From a network's logits to an answer that people read, alike for every kind of bundle.

A bundle carries a copy of these functions in its `predict.py`. For that reason it imports nothing of ours, and no
`from __future__`, which could not stand in the middle of another file.
"""
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"softmax": lambda logits: logits.softmax(1), "sigmoid": torch.sigmoid}


def answer_of(probabilities: Sequence[float], labels: Sequence[str]) -> dict[str, Any]:
    """An answer as programs read it: the likeliest label first, then what was thought of each, in the order of `labels`."""
    best = max(range(len(labels)), key=probabilities.__getitem__)
    return {"label": labels[best], "probability": probabilities[best], "probabilities": list(probabilities)}


def answer_lines(answer: dict[str, Any], labels: Sequence[str], top: int) -> list[str]:
    """An answer as lines for a terminal: the `top` likeliest labels, each with its percent and a bar."""
    ranked = sorted(zip(answer["probabilities"], labels), key=lambda pair: -pair[0])[:max(1, top)]
    width = max(columns(label) for _, label in ranked)
    return [f"  {printable(label)}{' ' * (width - columns(label))}  {probability:6.1%}  {'#' * round(probability * 30)}"
            for probability, label in ranked]


def printable(text: str) -> str:
    """Without control characters, which could steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def columns(text: str) -> int:
    """Width on a terminal: Chinese, Japanese and Korean letters take two columns."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in printable(text))
