"""Which encoding the bytes of a text file are in, told from samples of it."""
from __future__ import annotations

import codecs
from pathlib import Path

from core.errors import DataError

ENCODINGS = ("utf-8", "utf-16", "gb18030", "big5", "shift_jis", "euc_kr", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255",
             "cp1256", "koi8_r", "latin-1")
"""Those worth offering to choose from; a file may be read in any other that Python knows."""

UNDECODABLE = "\udcff"
"""Stands where bytes made no text. It can't be encoded, so no text that holds it gets through unseen."""

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
         (codecs.BOM_UTF16_BE, "utf-16"))
_CANDIDATES = ["big5", "shift_jis", "euc_jp", "euc_kr", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"]
_FREQUENT = frozenset("的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方"
                      "多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实很太吃快送味店买")
_WESTERN = frozenset("äöüßÄÖÜéèêëàâáãåæçñíîïóòôúÉÈÊÀÂÁÅÆÇÑÍÓÚœŒ–—‘’“”„…€£°«»¿¡·©®´§")
_HEAD_BYTES, _PIECE_BYTES, _N_PIECES = 2**20, 2**16, 32
_GUESS_BYTES = 2**16


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error("graft-mark", _mark)


def sample_bytes(path: Path) -> list[bytes]:
    """The head of a file and pieces from all over it; the whole of a small one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        pieces = [file.read(_HEAD_BYTES)]
        if size > _HEAD_BYTES:
            step = (size - _HEAD_BYTES) // _N_PIECES
            for number in range(_N_PIECES):
                file.seek((_HEAD_BYTES + number * step) & ~3)  # whole units of UTF-16 and UTF-32
                pieces.append(file.read(_PIECE_BYTES))
    return pieces


def find_encoding(pieces: list[bytes]) -> str:
    """A name that Python knows: byte order mark, UTF-16, UTF-8, GB18030 for Chinese, what the letters' frequencies say, Latin-1.

    A stray broken byte in a file of good UTF-8 does not change the answer.
    """
    head = pieces[0]
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    wide = _utf16(head)
    if wide:
        return wide
    if all(piece.isascii() for piece in pieces) or _fits(pieces, "utf-8"):
        return "utf-8"
    if _fits(pieces, "gb18030") and _chinese(pieces):
        return "gb18030"
    if _fits(pieces, "cp1252") and _western(pieces):
        return "cp1252"
    from charset_normalizer import from_bytes  # takes long to load, and pages load this module

    foreign = b"\n".join(line for piece in pieces for line in piece.split(b"\n") if not line.isascii())[:_GUESS_BYTES]
    best = from_bytes(foreign, cp_isolation=_CANDIDATES).best()
    return best.encoding if best and _fits(pieces, best.encoding) else "latin-1"


def check_encoding(name: str) -> str:
    """The encoding as somebody chose it. Raises `DataError` when there is none of that name."""
    try:
        if codecs.lookup(name)._is_text_encoding:
            b"".decode(name)
            return name
    except (LookupError, ValueError, AttributeError):
        pass  # told below, as for a codec that makes no text
    raise DataError("The encoding “{encoding}” is not known here.", "", "Choose one of {known}.", encoding=name[:40],
                    known=", ".join(ENCODINGS))


def decode(data: bytes, encoding: str) -> str:
    """Text, with `UNDECODABLE` where bytes made none."""
    return data.decode(encoding, "graft-mark")


def _utf16(head: bytes) -> str:
    """UTF-16 without a mark has zeros, nearly all at every other byte; Chinese has few of them, but line ends and commas
    at the right places."""
    zeros = (head[0::2].count(0), head[1::2].count(0))
    if sum(zeros) * 1000 < len(head):
        return ""
    order = "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    if sum(zeros) * 10 >= len(head) and min(zeros) * 20 <= max(zeros) and _sound(head, order):
        return order
    likely = max(("utf-16-le", "utf-16-be"), key=lambda name: _n_signs(head, name))
    return likely if not _fits([head], "utf-8") and _n_signs(head, likely) * 100 >= len(head) and _sound(head, likely) else ""


def _n_signs(head: bytes, encoding: str) -> int:
    text = head[:len(head) & ~1].decode(encoding, "replace")
    return sum(map(text.count, "\n\t ,;，。、"))


def _sound(head: bytes, encoding: str) -> bool:
    text = head[:len(head) & ~1].decode(encoding, "replace")
    return text.count("\ufffd") * 100 <= len(text)


def _fits(pieces: list[bytes], encoding: str) -> bool:
    """Whether the letters beyond ASCII are nearly all sound."""
    good = bad = 0
    for piece in pieces:
        text = decode(piece, encoding).strip(UNDECODABLE)  # a piece may begin and end within a letter
        broken = text.count(UNDECODABLE)
        bad += broken
        good += len(text) - broken - sum(map(text.count, _ASCII))
    return bad == 0 or good >= 20 * bad


_ASCII = [chr(code) for code in range(128)]


def _chinese(pieces: list[bytes]) -> bool:
    """Real Chinese has its few hundred most frequent characters everywhere; other bytes read as GB18030 have them by accident."""
    letters = [letter for piece in pieces for letter in decode(piece, "gb18030") if "\u4e00" <= letter <= "\u9fff"]
    others = sum(letter > "\x7f" for piece in pieces for letter in decode(piece, "gb18030"))
    frequent = sum(letter in _FREQUENT for letter in letters)
    return len(letters) >= 0.4 * others and frequent >= 0.1 * len(letters)


def _western(pieces: list[bytes]) -> bool:
    """A few accented letters among plain ones. Those that are common in the east of Europe under the same numbers do not count."""
    letters = [letter for piece in pieces for letter in decode(piece, "cp1252") if letter > "\x7f"]
    n_plain = sum(letter < 0x80 for piece in pieces for letter in piece)
    return len(letters) * 4 <= n_plain and sum(letter in _WESTERN for letter in letters) >= 0.95 * len(letters)
