"""Languages are told where a text is long enough, and nothing is said where it is not."""
from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest

from core.data.likeness import languages as module
from core.data.likeness.languages import languages

TOLD = {
    "en": "The delivery was late and the food had already gone cold.",
    "de": "Die Lieferung kam zu spät und das Essen war schon kalt.",
    "fr": "La livraison est arrivée en retard et le repas était déjà froid.",
    "es": "La entrega llegó tarde y la comida ya estaba completamente fría.",
    "ru": "Курьер приехал слишком поздно, и вся еда уже была холодной, больше здесь не закажу.",
    "zh": "味道很好",
    "ja": "とても美味しかったです",
    "ko": "정말 맛있어요",
}


@pytest.mark.parametrize("code", TOLD)
def test_a_language_is_told(code: str) -> None:
    assert languages({"x": TOLD[code]}) == {"x": code}


@pytest.mark.parametrize("text", ["", "ok", "Ok lar...", "12345 67890 12345 67890 12345", "好", ":-) :-) :-) :-) :-) :-)"])
def test_nothing_is_said_of_texts_that_do_not_tell(text: str) -> None:
    assert languages({"x": text}) == {}


def test_chinese_with_a_latin_name_in_it_is_chinese() -> None:
    assert languages({"x": "这个iPhone手机壳质量很好"}) == {"x": "zh"}


def test_of_many_texts_the_same_few_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TEXTS", 3)
    texts = {key: TOLD["zh"] for key in "edcba"}
    assert set(languages(texts)) == {"a", "b", "c"}


@pytest.mark.parametrize("name", ["sms_spam/all.csv", "trec6/train.csv", "sst2/train.csv"])
def test_english_sets_hold_english_only(name: str) -> None:
    path = Path(__file__).parents[5] / "shared" / "data" / "text" / name
    if not path.is_file():
        pytest.skip("the shared data sets are not here")
    with path.open(encoding="utf-8-sig", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:600]
    told = Counter(languages({hashlib.sha256(text.encode()).hexdigest(): text for text in texts}).values())
    assert told["en"] > 250 and set(told) == {"en"}
