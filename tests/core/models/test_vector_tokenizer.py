"""What a vocabulary alone tells about how texts are cut into its words."""
from __future__ import annotations

from collections.abc import Sequence

import pytest
from tokenizers import Tokenizer

from core.models.words import vector_tokenizer
from core.models.words.vector_tokenizer import is_unspaced, tokenizer_of

PENN = ("the", "do", "n't", "it", "'s", "good", "ca", "dogs", ".", ",", "foo", "bar", "-")
WIKI = ("the", "don't", "good", "u.s.", "u", "s", ".", ":)", "...", "hi", "state-of-the-art", "1,000", "café", "$")
CHINESE = ("的", "我", "喜欢", "这个", "喜", "欢", "电影", "，", "iphone", "不")


def cut(words: Sequence[str], text: str) -> list[str]:
    """The words that are found, by their ids: what is unknown is [UNK]."""
    tokenizer = tokenizer_of(words)
    return [tokenizer.id_to_token(i) for i in tokenizer.encode(text).ids]


@pytest.mark.parametrize("words, text, expected", [
    (PENN, "The dogs don't, it's good.", ["the", "dogs", "do", "n't", ",", "it", "'s", "good", "."]),
    (PENN, "can't", ["ca", "n't"]),
    (PENN, "Don’t foo-bar", ["do", "n't", "foo", "-", "bar"]),
    (PENN, "it'sgood", ["it", "[UNK]", "[UNK]"]),
    (WIKI, "I don't like the U.S.!", ["[UNK]", "don't", "[UNK]", "the", "u.s.", "[UNK]"]),
    (WIKI, "u.s.a", ["u", ".", "s", ".", "[UNK]"]),
    (WIKI, "hi:) hi...", ["hi", ":)", "hi", "..."]),
    (WIKI, "state-of-the-art for $1,000", ["state-of-the-art", "[UNK]", "$", "1,000"]),
    (WIKI, "CAFE\u0301", ["café"]),
    (WIKI, " \n\t", []),
    (WIKI, "", []),
])
def test_texts_are_cut_where_the_vocabulary_cuts(words: Sequence[str], text: str, expected: list[str]) -> None:
    assert cut(words, text) == expected


def test_case_counts_only_where_the_vocabulary_knows_it() -> None:
    assert cut(("the", "cat", "3d"), "The CAT") == ["the", "cat"]
    assert cut(("the", "Paris", "cat"), "the Paris paris") == ["the", "Paris", "[UNK]"]
    nearly = [*(f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(200)), "Paris"]
    assert cut(nearly, "WORDAB") == ["wordab"], "a word in two hundred is nearly none"


@pytest.mark.parametrize("text, expected", [
    ("我喜欢这个电影", ["我", "喜欢", "这个", "电影"]),
    ("我不喜欢，的。", ["我", "不", "喜欢", "，", "的", "[UNK]"]),
    ("这个龘龘龘喜", ["这个", "[UNK]", "喜"]),
    ("我的IPhone 好", ["我", "的", "iphone", "[UNK]"]),
])
def test_texts_without_spaces_are_cut_by_the_vocabulary_itself(text: str, expected: list[str]) -> None:
    assert cut(CHINESE, text) == expected


def test_of_two_cuts_the_one_of_more_common_words_is_taken() -> None:
    words = ["研究", "生命", "起源", *(f"字{i}" for i in range(500)), "研究生", "命"]
    assert cut(words, "研究生命起源") == ["研究", "生命", "起源"]


def test_scripts_without_spaces_are_known_by_many_words() -> None:
    assert is_unspaced(CHINESE) and is_unspaced(("สวัสดี", "ครับ", "ok")) and is_unspaced(("する", "これ", "ロボット"))
    assert not is_unspaced(("the", "cat", "dog", "bird", "fish", "猫")) and not is_unspaced(("한국어", "나는", "你")[:2])


@pytest.mark.parametrize("words", [PENN, WIKI, CHINESE], ids=["penn", "wiki", "chinese"])
def test_ids_are_the_rows_also_after_reading_it_again(words: Sequence[str]) -> None:
    tokenizer = tokenizer_of(words)
    expected = {word: i for i, word in enumerate(("[PAD]", "[UNK]", *words))}
    assert tokenizer.get_vocab() == expected
    again = Tokenizer.from_str(tokenizer.to_str())
    text = "The U.S. don't 我喜欢 iPhone :) it's..."
    assert again.get_vocab() == expected and again.encode(text).ids == tokenizer.encode(text).ids


def test_of_words_with_signs_the_most_common_are_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_tokenizer, "MOST_WHOLE", 1)
    assert cut(("a.b.", "c.d.", "c", "d", "."), "a.b. c.d.") == ["a.b.", "c", ".", "d", "."]


def test_texts_of_any_kind_are_cut_without_a_fault() -> None:
    for words in (PENN, WIKI, CHINESE):
        for text in ("[PAD] [UNK]", "\0\ufffd\U0001f600", "x" * 10_000, "喜" * 10_000, "e\u0301" * 100, "\u200c\u200d"):
            assert all(0 <= i < len(words) + 2 for i in tokenizer_of(words).encode(text).ids)
    assert cut(WIKI, "[PAD]")[0] != "[PAD]", "what a reader typed is no special token"
