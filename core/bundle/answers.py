"""From a network's logits to an answer that people read, alike for every kind of bundle.

A bundle carries a copy of these functions in its `predict.py`. For that reason it imports nothing of ours, and no
`from __future__`, which could not stand in the middle of another file.
"""
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def _two_probabilities(logits: Tensor) -> Tensor:
    """The only logit (B, 1), which speaks for the second label, as probabilities of both (B, 2)."""
    return torch.cat([torch.sigmoid(-logits), torch.sigmoid(logits)], 1)


def _unchanged(logits: Tensor) -> Tensor:
    """Numbers (B, 1) in the labels' own unit."""
    return logits


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda logits: logits.softmax(1), "sigmoid": torch.sigmoid, "sigmoid_of_two": _two_probabilities, "identity": _unchanged}
THRESHOLD = 0.5
"""The probability from which on an item is given a label, where it may have several."""


def answer_of(said: Sequence[float], about: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as programs read it, from what `predict` says of an item; `about` is bundle.json. With one label an item the likeliest one
    comes first, with several those that are given; "probabilities" are in the order of the labels. A number has its name and unit."""
    return ANSWERS[about.get("objective", "single_label")][0](said, about)


def answer_lines(answer: Mapping[str, Any], about: Mapping[str, Any], top: int) -> list[str]:
    """An answer as lines for a terminal: a number, or the `top` likeliest labels (and all that are given), each with its percent and a bar."""
    return ANSWERS[about.get("objective", "single_label")][1](answer, about, top)


def _likeliest(said: Sequence[float], about: Mapping[str, Any]) -> dict[str, Any]:
    best = max(range(len(said)), key=said.__getitem__)
    return {"label": about["labels"][best], "probability": said[best], "probabilities": list(said)}


def _given(said: Sequence[float], about: Mapping[str, Any]) -> dict[str, Any]:
    return {"labels": [label for label, p in zip(about["labels"], said) if p >= THRESHOLD], "probabilities": list(said)}


def _number(said: Sequence[float], about: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": about["labels"][0], "value": said[0], "unit": about.get("unit", "")}


def _bars(answer: Mapping[str, Any], about: Mapping[str, Any], top: int) -> list[str]:
    ranked = sorted(zip(answer["probabilities"], about["labels"]), key=lambda pair: -pair[0])[:max(1, top)]
    width = max(columns(label) for _, label in ranked)
    return [f"  {printable(label)}{' ' * (width - columns(label))}  {probability:6.1%}  {'#' * round(probability * 30)}"
            for probability, label in ranked]


def _given_bars(answer: Mapping[str, Any], about: Mapping[str, Any], top: int) -> list[str]:
    """What is given stands before a line, what is not behind it."""
    n = len(answer["labels"])
    bars = _bars(answer, about, max(n, top))
    return [*bars[:n], *(["  none of the labels"] if not n else []), *(f"  ({bar.strip()})" for bar in bars[n:])]


def _number_line(answer: Mapping[str, Any], about: Mapping[str, Any], top: int) -> list[str]:
    return [printable(f"  {answer['name']}  {answer['value']:.6g} {answer['unit']}".rstrip())]


Answer = Callable[[Sequence[float], Mapping[str, Any]], dict[str, Any]]
Lines = Callable[[Mapping[str, Any], Mapping[str, Any], int], list[str]]
ANSWERS: dict[str, tuple[Answer, Lines]] = {
    "single_label": (_likeliest, _bars), "binary": (_likeliest, _bars), "multi_label": (_given, _given_bars), "regression": (_number, _number_line)}
"""By objective: an answer for programs, and the same for people."""


def printable(text: str) -> str:
    """Without control characters, which could steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def columns(text: str) -> int:
    """Width on a terminal: Chinese, Japanese and Korean letters take two columns."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in printable(text))
