"""Word vectors as word2vec and fastText write them in binary: little-endian, read in order, whatever is claimed is checked first.

Sources of the formats: `SaveModel` and the binary output of word2vec.c; `FastText::saveModel`, `Dictionary::save`,
`Dictionary::computeSubwords` and `FastText::getWordVector` of fastText.
"""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

from core.errors import DataError
from core.models.words.vector_rows import Floats, Words, check_dims
from core.models.words.vector_stream import Stream

MAGIC = struct.pack("<i", 793712314)
ARGS = struct.Struct("<i12id")
"""Version, then dim, ws, epoch, minCount, neg, wordNgrams, loss, model, bucket, minn, maxn, lrUpdateRate, t."""
DICTIONARY = struct.Struct("<3i2q")
"""All entries, words, labels; tokens seen, sub-words kept by a pruned (quantised) model, else -1."""
VERSIONS = (11, 12)
SUPERVISED = 3
LONGEST_PIECE = 30
MOST_PIECES = 20_000_000
"""Of all words together: 100 for each of 200,000."""
BLOCK_NUMBERS = 2**22
WAITING_WORDS = 4096


def read_word2vec(stream: Stream, words: Words, progress: Callable[[], None], *, count: int) -> None:
    """Fill `words` from what follows the header: word, space, float32 numbers, perhaps a line end, `count` times.

    Raises `DataError` for a file that ends within a word or its numbers.
    """
    for _ in range(count):
        word = stream.until(b" ")
        if word is None:
            return
        words.add(word.lstrip(b"\n"), np.frombuffer(stream.take(4 * words.dims), "<f4"))
        if words.full:
            return
        progress()


def looks_binary(head: bytes, dims: int) -> bool:
    """Whether behind the header's line a word, a space and `dims` numbers of a sensible size follow."""
    body = head[head.find(b"\n") + 1:]
    word, space, rest = body[:2048].partition(b" ")
    if not space or not word.strip() or b"\n" in word.strip():
        return False
    numbers = np.frombuffer(body[len(word) + 1:][:4 * dims], "<f4") if len(rest) >= 4 * dims or len(body) >= 4 * dims + len(word) + 1 \
        else np.array([np.nan], np.float32)
    return bool((np.abs(numbers) < 1e6).all())


def read_fasttext(stream: Stream, most: int, progress: Callable[[], None]) -> tuple[Words, int]:
    """The words of a model that fastText itself has written, and how many it holds. Buckets of sub-words are used and not kept.

    A word's vector is what fastText answers for it: the mean of its own row and those of its pieces. Raises `DataError` for quantised
    models.
    """
    args = ARGS.unpack(stream.take(len(MAGIC) + ARGS.size)[len(MAGIC):])
    version, dims, model, bucket, shortest, longest = args[0], args[1], args[8], args[9], args[10], args[11]
    if version == 11 and model == SUPERVISED:
        longest = 0  # its models were written without pieces, whatever they say
    n_entries, n_words, n_labels, _, kept_pieces = DICTIONARY.unpack(stream.take(DICTIONARY.size))
    if kept_pieces >= 0:
        raise _quantised(stream.name)
    check_dims(stream.name, dims)
    if (version not in VERSIONS or not 0 <= n_words <= n_entries or n_words + n_labels != n_entries or not 0 <= longest <= LONGEST_PIECE
            or bucket < 0 or longest and not bucket):
        raise stream.damaged()
    words = Words(stream.name, min(most, n_words), dims)
    pieces = _Pieces(n_words, bucket, shortest, longest)
    for entry in range(n_entries):
        word = stream.until(b"\0")
        kind = stream.take(9)[8]  # after its count
        if word is None or kind > 1:
            raise stream.damaged()
        if entry < n_words and not words.full and (row := words.name_row(word)) is not None:
            pieces.add(stream, row, entry, word)
        progress()
    _read_matrix(stream, words, pieces, n_words + bucket, progress)
    words.drop_damaged()
    return words, n_words


@dataclass(slots=True)
class _Pieces:
    """Which rows of the matrix each word is the mean of, as pairs in blocks."""
    n_words: int
    bucket: int
    shortest: int
    longest: int
    waiting: list[tuple[int, int, bytes]] = field(default_factory=list)
    words: list[np.ndarray] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    n: int = 0

    def add(self, stream: Stream, word_row: int, own_row: int, word: bytes) -> None:
        self.waiting.append((word_row, own_row, word))
        if len(self.waiting) == WAITING_WORDS:
            self.hash(stream)

    def hash(self, stream: Stream) -> None:
        """Find the pieces of the words that wait. The mark of a line's end has none."""
        if self.waiting:
            word_rows, own_rows, words = zip(*self.waiting)
            self._keep(stream, np.array(word_rows), np.array(own_rows))
            marked = [b"<" + word + b">" if word != b"</s>" else b"" for word in words]
            for owners, hashes in pieces_of(marked, self.shortest, self.longest):
                self._keep(stream, np.array(word_rows)[owners], self.n_words + hashes.astype(np.int64) % self.bucket)
        self.waiting.clear()

    def _keep(self, stream: Stream, words: np.ndarray, rows: np.ndarray) -> None:
        self.words.append(words.astype(np.int32))
        self.rows.append(rows.astype(np.int64))
        self.n += len(rows)
        if self.n > MOST_PIECES:
            raise stream.damaged()


def pieces_of(words: list[bytes], shortest: int, longest: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(places of words in the list, hashes of pieces of theirs), for pieces of `shortest` to `longest` letters: FNV-1a of their bytes,
    taken as signed ones. A mark at the end of a word is no piece by itself. All words at once, since one by one takes minutes."""
    text = np.frombuffer(b"".join(words), np.uint8)
    values = text.astype(np.int8).astype(np.int32).view(np.uint32)  # 0xE9 counts as 0xFFFFFFE9
    starts = np.flatnonzero((text & 0xC0) != 0x80)  # of letters, (L,)
    sizes = np.diff(starts, append=len(text))
    owners = np.repeat(np.arange(len(words)), [len(word) for word in words])[starts]
    edge = np.diff(owners, prepend=-1).astype(bool) | np.diff(owners, append=-1).astype(bool)
    firsts, hashes = np.arange(len(starts)), np.full(len(starts), 2166136261, np.uint32)
    for n in range(1, longest + 1):
        inside = firsts + n <= len(starts)
        firsts, hashes = firsts[inside], hashes[inside]
        inside = owners[firsts + n - 1] == owners[firsts]
        firsts, hashes = firsts[inside], hashes[inside]
        letters = firsts + n - 1
        for byte in range(int(sizes[letters].max(initial=0))):
            has = sizes[letters] > byte
            hashes[has] = (hashes[has] ^ values[starts[letters[has]] + byte]) * np.uint32(16777619)
        if n >= shortest:
            good = ~edge[firsts] if n == 1 else slice(None)
            yield owners[firsts][good], hashes[good]


def _read_matrix(stream: Stream, words: Words, pieces: _Pieces, n_rows: int, progress: Callable[[], None]) -> None:
    """Add up the rows as they pass, a block at a time: only the sums are kept."""
    quantised, given_rows, dims = struct.unpack("<?2q", stream.take(17))
    if quantised:
        raise _quantised(stream.name)
    if (given_rows, dims) != (n_rows, words.dims):
        raise stream.damaged()
    if not words.n:
        return
    sums = words.vectors[:len(words.ids)]
    sums[:] = 0
    pieces.hash(stream)
    rows, of_words = np.concatenate(pieces.rows), np.concatenate(pieces.words)
    order = np.argsort(rows, kind="stable")
    rows, of_words = rows[order], of_words[order]
    per_block = max(1, BLOCK_NUMBERS // dims)
    for first in range(0, int(rows[-1]) + 1, per_block):
        n = min(per_block, n_rows - first)
        block = np.frombuffer(stream.take(4 * n * dims), "<f4").reshape(n, dims)
        begin, end = np.searchsorted(rows, (first, first + n))
        for at in range(begin, end, per_block):
            until = min(end, at + per_block)
            _add(sums, of_words[at:until], block, rows[at:until] - first)
        progress()
    sums[2:] /= np.bincount(of_words, minlength=len(sums))[2:, None]


def _add(sums: Floats, of_words: np.ndarray, block: Floats, rows: np.ndarray) -> None:
    """sums[of_words[i]] += block[rows[i]] for every i; a word may occur several times."""
    different, place = np.unique(of_words, return_inverse=True)
    chosen = csr_matrix((np.ones(len(rows), np.float32), (place, rows)), shape=(len(different), len(block)))
    sums[different] += chosen @ block  # (words, rows of the block) @ (rows of the block, D)


def _quantised(name: str) -> DataError:
    return DataError("“{file}” is a compressed fastText model.",
                     "Its vectors were quantised to save space (.ftz), which can't be read here.",
                     "Choose the model as it was before that (.bin), or its vectors as text (.vec).", file=name)
