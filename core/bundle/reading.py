"""From texts to token ids, with the tokenizers library; torch is loaded only where tensors are made.

A bundle carries a copy of these functions, so that what is trained here and what is taken home read alike. For that reason it imports
nothing of ours, and no `from __future__`, which could not stand in the middle of another file.
"""
import re
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

CHARACTERS_A_TOKEN = 16
"""So many are looked at for each token that can be read: more would be cut off anyway."""
HEAD_SHARE = 4
"""Of a long text read at both ends, one part in so many is its start (Sun et al. 2019, arXiv:1905.05583)."""
OVERLAP = 8
"""One part in so many of a window is read again in the next one, so that no word stands alone at an edge."""
LONGEST_NGRAM = 5
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]+|\w+|[^\w\s]")
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af]")


def open_tokenizer(path: str) -> Tokenizer:
    """The tokenizer in a file, which neither cuts nor pads."""
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def tokens_of(tokenizer: Tokenizer, texts: Sequence[str], preprocess: Mapping[str, Any]) -> list[list[int]]:
    """The token ids of each text, uncut (but for what lies far behind what could be read), without the special ones."""
    windows = preprocess["windows"] if preprocess["long_texts"] == "windows" else 1
    limit = CHARACTERS_A_TOKEN * preprocess["max_tokens"] * windows
    return [encoding.ids for encoding in tokenizer.encode_batch([shortened(text, limit, preprocess) for text in texts], add_special_tokens=False)]


def shortened(text: str, limit: int, preprocess: Mapping[str, Any]) -> str:
    """What of a text may be read at all, without what can't be written as UTF-8."""
    if len(text) > 2 * limit:
        text = text[:limit] + (" " + text[-limit:] if preprocess["long_texts"] == "ends" else "")
    return text.encode("utf-8", "replace").decode("utf-8")


def read(tokenizer: Tokenizer, texts: Sequence[str], preprocess: Mapping[str, Any]) -> list[list[int]]:
    """What a network reads of each text: ids with the special ones, cut as `preprocess` says, windows one behind the other."""
    rows = [arranged(ids, preprocess) for ids in tokens_of(tokenizer, texts, preprocess)]
    buckets, offset = preprocess["ngram_buckets"], preprocess["ngram_offset"]
    if buckets:
        windows = preprocess["windows"] if preprocess["long_texts"] == "windows" else 1
        limit = CHARACTERS_A_TOKEN * preprocess["max_tokens"] * windows
        rows = [row + [offset + zlib.crc32(ngram.encode("utf-8")) % buckets for ngram in ngrams(shortened(text, limit, preprocess), limit)]
                for row, text in zip(rows, texts)]
    return rows


def arranged(ids: list[int], preprocess: Mapping[str, Any]) -> list[int]:
    """Token ids with prefix and suffix, not more than can be read."""
    prefix, suffix, how = list(preprocess["prefix"]), list(preprocess["suffix"]), preprocess["long_texts"]
    room = preprocess["max_tokens"] - len(prefix) - len(suffix)
    if not ids and not prefix and not suffix:
        ids = [preprocess["empty"]]
    if how == "windows" and len(ids) > room:
        starts = range(0, max(1, len(ids) - room // OVERLAP), room - room // OVERLAP)
        return [i for start in starts[:preprocess["windows"]] for i in prefix + ids[start:start + room] + suffix]
    if how == "ends" and len(ids) > room:
        head = room // HEAD_SHARE
        ids = ids[:head] + ids[len(ids) - room + head:]
    return prefix + ids[:room] + suffix


def ngrams(text: str, most: int) -> list[str]:
    """Words, pairs of them, and 3 to 5 letters in a row inside each; of scripts that set no spaces 1 to 3 letters in a row. The first `most`
    of the text. In the manner of fastText (Bojanowski et al. 2017, arXiv:1607.04606; Joulin et al. 2017,
    arXiv:1607.01759)."""
    shown = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode("utf-8")).lower()
    found, before = list[str](), ""
    for word in WORD.findall(shown):
        found.extend(_inside(word))
        found.append(f"{before} {word}")
        before = word
        if len(found) >= most:
            break
    return found[:most]


def _inside(word: str) -> Iterator[str]:
    if UNSPACED.match(word):
        for size in (1, 2, 3):
            yield from (word[i:i + size] for i in range(len(word) - size + 1))
        return
    marked = f"<{word}>"
    yield marked
    for size in range(3, min(LONGEST_NGRAM, len(marked) - 1) + 1):
        yield from (marked[i:i + size] for i in range(len(marked) - size + 1))


def batch_of(rows: Sequence[Sequence[int]]) -> "tuple[Tensor, Tensor]":
    """Rows of ids as one (B, L) int64 with zeros behind each, and their lengths (B,)."""
    import torch

    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    ids = torch.zeros(len(rows), int(lengths.max()) if len(rows) else 0, dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row, dtype=torch.int64)
    return ids, lengths
