"""A tokenizer made from nothing but a vocabulary: it finds in a text the words that have a vector.

What the vocabulary shows decides: whether case counts, what is one word ("don't", "u.s.", ":)"), and whether words have spaces between
them. Ids are the rows of the set: [PAD] 0, [UNK] 1, then the words in their order.
"""
from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import islice

from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import Unigram, WordLevel

from core.models.words.vector_rows import N_SPECIAL, PAD, UNKNOWN

UNSPACED = "\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Letters of scripts that put no spaces between words: Chinese, Japanese, Thai, Lao, Burmese, Khmer."""
MANY = 0.2
"""Of the words; with so many in such a script, texts are cut by the vocabulary itself."""
NEARLY_NONE = 0.01
SAMPLE_WORDS = 50_000
"""Words are sorted by how common they are; a text holds mostly those at the beginning."""
MOST_WHOLE = 10_000
"""Words with signs in them that are looked for before a text is cut; each costs time when the tokenizer is loaded."""
CLITICS = ("n't", "'s", "'re", "'ve", "'ll", "'d", "'m")
"""How corpora that were prepared for parsing cut English: do + n't, it + 's (Penn Treebank)."""
LETTERS = "\\w\u200c\u200d"


def tokenizer_of(words: Sequence[str]) -> Tokenizer:
    """The tokenizer of a vocabulary without special tokens, the most common word first; every word comes once."""
    if is_unspaced(words):
        return _cut_by_vocabulary(words)
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate((PAD, UNKNOWN, *words))}, unk_token=UNKNOWN))
    tokenizer.normalizer = _normalizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_spaced_pattern(set(words))), "removed", invert=True)
    tokenizer.add_tokens(_whole(words, tokenizer.pre_tokenizer))
    return tokenizer


def is_unspaced(words: Sequence[str]) -> bool:
    """Whether many of the words are of scripts without spaces between words."""
    sample, letter = words[:SAMPLE_WORDS], re.compile(f"[{UNSPACED}]")
    return sum(bool(letter.search(word)) for word in sample) > MANY * len(sample)


def _cut_by_vocabulary(words: Sequence[str]) -> Tokenizer:
    """The cut whose words are together the most common, by Zipf's law: a word's share falls with its rank. What holds no known word
    becomes one [UNK]."""
    pieces = [(PAD, 0.0), (UNKNOWN, 0.0), *((word, -math.log(rank + 2)) for rank, word in enumerate(words))]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=N_SPECIAL - 1))
    tokenizer.normalizer = _normalizer(words)
    pattern = f"[{UNSPACED}]+|(?:(?![{UNSPACED}])[{LETTERS}])+|[^\\w\\s]"
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return tokenizer


def _normalizer(words: Sequence[str]) -> normalizers.Normalizer:
    """Makes of a text what the words already are: what leaves (nearly) all of them unchanged costs none of them."""
    sample = words[:SAMPLE_WORDS]
    steps: list[normalizers.Normalizer] = [normalizers.NFKC() if _unchanged(sample, _nfkc) else normalizers.NFC()]
    if _unchanged([word for word in sample if word.lower() != word.upper()], str.lower):
        steps.append(normalizers.Lowercase())
    if sum("'" in word for word in words) > sum("’" in word for word in words):
        steps.append(normalizers.Replace("’", "'"))
    return normalizers.Sequence(steps)


def _unchanged(words: Sequence[str], change: Callable[[str], str]) -> bool:
    return sum(change(word) != word for word in words) <= NEARLY_NONE * len(words)


def _nfkc(word: str) -> str:
    return unicodedata.normalize("NFKC", word)


def _spaced_pattern(words: set[str]) -> str:
    """Letters and digits together, any other sign alone; endings such as 's where the vocabulary has them."""
    known = [clitic for clitic in CLITICS if clitic in words]
    before = [f"[{LETTERS}]+(?=n't\\b)", "n't\\b"] if "n't" in known else []
    after = "|".join(clitic[1:] for clitic in known if clitic != "n't")
    return "|".join([*before, *([f"'(?:{after})\\b"] if after else []), f"[{LETTERS}]+", "[^\\w\\s]"])


def _whole(words: Sequence[str], pre_tokenizer: pre_tokenizers.PreTokenizer) -> list[AddedToken]:
    """Words that the pattern would cut. Those with letters or digits count only where no further letter touches them."""
    signs = (word for word in words if len(word) > 1 and not word.isalnum() and word not in CLITICS)
    cut = (word for word in signs if [part for part, _ in pre_tokenizer.pre_tokenize_str(word)] != [word])
    return [AddedToken(word, single_word=any(letter.isalnum() for letter in word), normalized=True) for word in islice(cut, MOST_WHOLE)]
