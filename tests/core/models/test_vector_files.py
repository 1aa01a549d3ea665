"""Word vectors of every format become the same set; what is damaged, hostile or something else is refused in words."""
from __future__ import annotations

import bz2
import gzip
import io
import pickle
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.data.limits import Limits
from core.errors import DataError, UserError
from core.models.words import vector_files, vector_stream
from core.models.words.vector_files import VectorFacts, convert
from core.models.words.vectors import load_tokenizer, load_vectors, read_metadata
from tests.core.models.vector_made import BUCKETS, fasttext, glove, some, vec, word2vec

WORDS = ("the", "cat", "dog", "naïve", "don't", "猫")
VECTORS = some(WORDS)
NO_PIECES = np.zeros((0, 4))
ENGLISH = ("the and that was for with his had they from this have are not but were which all their there been one has when who will more "
           "would about time some what other these into only than them could after then first any may such")


def of_file(data: bytes, folder: Path, **options: object) -> tuple[VectorFacts, dict[str, list[float]]]:
    """(facts, vectors by word) of what the file became."""
    path = folder / "vectors.dat"
    path.write_bytes(data)
    facts = convert(path, folder / "set" / "made", **options)  # type: ignore[arg-type]
    vectors, ids = load_vectors(folder / "set" / "made").numpy(), load_tokenizer(folder / "set" / "made").get_vocab()
    assert ids.pop("[PAD]") == 0 and ids.pop("[UNK]") == 1 and not vectors[:2].any(), "the special rows come first, and are zero"
    return facts, {word: vectors[row].tolist() for word, row in sorted(ids.items(), key=lambda pair: pair[1])}


def refusal(data: bytes, folder: Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        of_file(data, folder, **options)
    assert caught.value.fix, "it says what to do"
    assert "vectors.dat" in str(caught.value), "it names the file"
    assert not (folder / "set").exists(), "nothing is left behind"
    return str(caught.value)


FORMS: dict[str, tuple[bytes, str]] = {
    "glove": (glove(VECTORS), "GloVe"), "tabs": (glove(VECTORS).replace(b" ", b"\t"), "GloVe"),
    "windows": (b"\xef\xbb\xbf" + glove(VECTORS).replace(b"\n", b"\r\n"), "GloVe"), "no last line end": (glove(VECTORS)[:-1], "GloVe"),
    "text": (vec(VECTORS), "word2vec text"), "binary": (word2vec(VECTORS), "word2vec binary"),
    "binary of gensim": (word2vec(VECTORS, line_end=b""), "word2vec binary"),
    "fasttext": (fasttext(VECTORS, NO_PIECES, longest=0), "fastText"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_becomes_the_same_set(tmp_path: Path, form: str) -> None:
    data, format_ = FORMS[form]
    facts, vectors = of_file(data, tmp_path)
    assert vectors == VECTORS and list(vectors) == list(WORDS), "in the order of the file"
    assert (facts.n_words, facts.kept, facts.dims, facts.format, facts.n_repeated, facts.n_unusable) == (6, 6, 4, format_, 0, 0)
    assert read_metadata(tmp_path / "set" / "made") | {"languages": []} == {
        "source": "vectors.dat", "n_words": 6, "dims": 4, "kept": 6, "format": format_, "languages": [], "n_repeated": 0, "n_unusable": 0}


def zipped(data: bytes, **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"any.txt": data, **more}.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in (("vectors.txt", data), ("README.txt", b"read me")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("form", ["glove", "binary", "fasttext"])
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zipped], ids=["gzip", "bzip2", "zip"])
def test_what_is_packed_is_read_the_same(tmp_path: Path, form: str, pack: Callable[[bytes], bytes]) -> None:
    assert of_file(pack(FORMS[form][0]), tmp_path)[1] == VECTORS


def test_notes_beside_the_file_in_an_archive_do_not_count(tmp_path: Path) -> None:
    many = some([f"word{i}" for i in range(50)])
    assert of_file(tarred(glove(many)), tmp_path)[1] == many
    assert of_file(zipped(glove(many), licence=b"MIT"), tmp_path)[1] == many


def test_of_several_files_in_an_archive_one_has_to_be_chosen(tmp_path: Path) -> None:
    said = refusal(zipped(glove(VECTORS), **{"b.50d.txt": glove(VECTORS)}), tmp_path)
    assert "holds several files" in said and "b.50d.txt" in said


def hashed(piece: str) -> int:
    """FNV-1a as fastText takes it, bytes as signed numbers, written down independently of the reader."""
    value = np.uint32(2166136261)
    with np.errstate(over="ignore"):
        for byte in np.frombuffer(piece.encode(), np.int8):
            value = np.uint32((value ^ np.uint32(int(byte) & 0xFFFFFFFF)) * np.uint32(16777619))
    return int(value)


def pieces_of(word: str) -> list[str]:
    marked = f"<{word}>"
    return [marked[i:i + n] for i in range(len(marked)) for n in (2, 3) if i + n <= len(marked)]


def test_a_word_of_fasttext_is_the_mean_of_its_row_and_its_pieces(tmp_path: Path) -> None:
    """Two and three letters here, not bytes: the Chinese word is one letter between two marks."""
    words = {"</s>": [1.0, 2.0, 3.0, 4.0], **some(("naïve", "猫", "a"))}
    buckets = np.random.default_rng(1).integers(-64, 64, (BUCKETS, 4)) / 32
    facts, vectors = of_file(fasttext(words, buckets, labels=("__label__good",)), tmp_path)
    assert facts.kept == 4, "labels are no words"
    assert vectors["</s>"] == words["</s>"], "the end of a line has no pieces"
    for word in ("naïve", "猫", "a"):
        rows = [words[word], *(buckets[hashed(piece) % BUCKETS] for piece in pieces_of(word))]
        np.testing.assert_allclose(vectors[word], np.mean(rows, axis=0), rtol=2e-3, atol=1e-3)


def test_rows_of_a_matrix_that_comes_in_blocks_are_all_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, buckets = some([f"w{i}" for i in range(40)]), np.random.default_rng(1).normal(size=(BUCKETS, 4))
    _, whole = of_file(fasttext(words, buckets), tmp_path)
    monkeypatch.setattr("core.models.words.vector_binary.BLOCK_NUMBERS", 12)
    _, in_blocks = of_file(fasttext(words, buckets), tmp_path)
    assert list(whole) == list(in_blocks)
    np.testing.assert_allclose(list(whole.values()), list(in_blocks.values()), atol=2e-3)


def test_models_for_labels_of_the_older_form_have_no_pieces(tmp_path: Path) -> None:
    assert of_file(fasttext(VECTORS, np.ones((BUCKETS, 4)), version=11, model=3), tmp_path)[1] == VECTORS


@pytest.mark.parametrize("form", ["glove", "text", "binary", "fasttext"])
def test_only_the_first_words_are_kept(tmp_path: Path, form: str) -> None:
    facts, vectors = of_file(FORMS[form][0], tmp_path, most_words=2)
    assert vectors == {word: VECTORS[word] for word in WORDS[:2]}
    assert facts.kept == 2 and facts.n_words == (2 if form == "glove" else 6), "GloVe does not say how many there are"


def test_of_a_word_that_comes_again_the_first_vector_stays(tmp_path: Path) -> None:
    again = word2vec({**VECTORS}, count=12) + word2vec(some(WORDS[::-1]))[4:]
    facts, vectors = of_file(again, tmp_path)
    assert vectors == VECTORS and facts.n_repeated == 6
    facts, vectors = of_file(glove(VECTORS) + b"the 9 9 9 9\nthe 8 8 8 8\n[UNK] 1 2 3 4\n", tmp_path)
    assert vectors == VECTORS and facts.n_repeated == 3, "nor does a word take the place of the special ones"


@pytest.mark.parametrize("row", ["few 1 2 3", "many 1.5 2 3 4 5", "none", "", "nan 1 nan 2 3", "inf 1 2 inf 3", "large 1 2 3 1e30",
                                 "huge 1 2 3 1e999", "text 1 2 3 x", "9 8 7", "w" * 1001 + " 1 2 3 4", "x " + "1" * 70_000])
def test_a_row_that_holds_something_else_is_counted_and_left_out(tmp_path: Path, row: str) -> None:
    lines = glove(VECTORS).splitlines(keepends=True)
    facts, vectors = of_file(b"".join([*lines[:3], row.encode() + b"\n", *lines[3:]]), tmp_path)
    assert vectors == VECTORS and facts.n_unusable == 1 and facts.n_repeated == 0


def test_damaged_numbers_in_binary_leave_out_their_words_alone(tmp_path: Path) -> None:
    damaged = {**VECTORS, "cat": [1.0, float("nan"), 2.0, 3.0], "dog": [1e9, 0.0, 0.0, 0.0]}
    expected = {word: row for word, row in VECTORS.items() if word not in ("cat", "dog")}
    for data in (word2vec(damaged), fasttext(damaged, NO_PIECES, longest=0)):
        facts, vectors = of_file(data, tmp_path)
        assert vectors == expected and facts.n_unusable == 2


def test_words_may_hold_spaces_and_bytes_that_are_no_letters(tmp_path: Path) -> None:
    spaced = {". . .": [1.0, 2.0, 3.0, 4.0], "at name": [0.5, 1.0, 1.5, 2.0]}
    _, vectors = of_file(glove(VECTORS | spaced) + b"caf\xe9 1 1 1 1\n", tmp_path)
    assert vectors == VECTORS | spaced | {"caf\ufffd": [1.0] * 4}


@pytest.mark.parametrize("count", [0, 2, 1_000_000, 999_999_999_999])
def test_what_a_header_says_of_the_number_of_words_is_not_believed(tmp_path: Path, count: int) -> None:
    assert of_file(vec(VECTORS, count), tmp_path)[1] == VECTORS
    if count >= 6:
        assert of_file(word2vec(VECTORS, count), tmp_path)[1] == VECTORS, "a file that ends behind a whole vector is whole"


def test_memory_is_reserved_for_no_more_than_the_words_that_are_kept(tmp_path: Path) -> None:
    many = some([f"w{i}" for i in range(20_000)], dims=50)
    for data in (word2vec(many, 999_999_999_999), glove(many)):
        tracemalloc.start()
        facts, _ = of_file(data, tmp_path, most_words=1000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert facts.kept == 1000 and peak < 20_000 * 50 * 4 + 8 * vector_stream.BUFFER_BYTES, "all words alone would be more"


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path("stolen").touch, ())


def array_file(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


DIGITS = "".join(f"{i} {i}.5 1 2\n" for i in range(50)).encode()
NO_VECTORS = "holds no word vectors that can be read"
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "empty, packed": (gzip.compress(b""),
    "is empty"),
    "a table": (b"label,text\nspam,You have won\nham,See you at eight\n" * 20, NO_VECTORS),
    "prose": (b"It was the best of times.\n" * 20, NO_VECTORS),
    "only a header": (b"3 4\n", NO_VECTORS),
    "no number": (b"3 4\na b c d e\n", NO_VECTORS),
    "the rows of a table": (b"setosa 5.1 3.5 1.4\nvirginica 6.1 3.2 4.8\n" * 20, "Most of its words come more than once"),
    "numbers": (DIGITS, "Where words should stand, it has numbers"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, NO_VECTORS),
    "mostly other rows": (glove(some([f"w{i}" for i in range(100)])) + b"y 1 2\n" * 101, "Most of its rows"),
    "an endless line": (b"the" + b" 1" * 600_000, "from 2 to 1024"),
    "many dimensions": (glove({"the": [0.5] * 1025}), "from 2 to 1024"),
    "many dimensions, binary": (b"2 2000\nthe " + b"\0" * 9000, "from 2 to 1024"),
    "binary that ends in a vector": (word2vec(VECTORS)[:-5], "ends too early"),
    "binary that ends in a word": (word2vec(VECTORS, 9) + b"mou", "ends too early"),
    "packed, and cut": (gzip.compress(glove(some([f"w{i}" for i in range(5000)])))[:-200], "can't be read"),
    "several files": (zipped(b"1", b=b"2"),
    "holds several files"),
    "an empty archive": (b"PK\5\6" + bytes(18), "There is no file"),
    "a pickle": (pickle.dumps({"the": Evil()}, protocol=4), "pickled data"),
    "a packed pickle": (gzip.compress(pickle.dumps(Evil(), 2)), "pickled data"),
    "objects in an array": (array_file(np.array([Evil()], dtype=object)), "pickled data"),
    "an array": (array_file(np.ones((3, 4))), "array without words"),
    "weights of torch": (zipped(b"", **{"archive/data.pkl": b"x"}), "pickled data"),
    "fasttext, quantised": (fasttext(VECTORS, NO_PIECES, longest=0, quantised=True), "compressed fastText model"),
    "fasttext, pruned": (fasttext(VECTORS, NO_PIECES, kept=3), "compressed fastText model"),
    "fasttext, cut": (fasttext(VECTORS, NO_PIECES, longest=0)[:-60], "ends too early"),
    "fasttext, only its begin": (fasttext(VECTORS, NO_PIECES)[:9], "ends too early"),
    "fasttext of other dimensions": (fasttext(VECTORS, NO_PIECES, longest=0, dims=5), "can't be read"),
    "fasttext of one dimension": (fasttext(VECTORS, NO_PIECES, dims=1), "from 2 to 1024"),
    "fasttext of more words than it has": (fasttext(VECTORS, NO_PIECES, longest=0, n_words=2**31 - 1), "can't be read"),
    "fasttext of less than no words": (fasttext(VECTORS, NO_PIECES, n_words=-1), "can't be read"),
    "fasttext of pieces without buckets": (fasttext(VECTORS, NO_PIECES), "can't be read"),
    "fasttext of endless pieces": (fasttext(VECTORS, np.ones((3, 4)), longest=2**30), "can't be read"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_set_of_word_vectors_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    data, said = REFUSED[kind]
    assert said in refusal(data, tmp_path)
    assert not (tmp_path / "stolen").exists(), "no pickle was loaded"


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    bomb = gzip.compress(glove(VECTORS) + b" " * 10_000_000 + b"\n")
    assert "not safe to unpack" in refusal(bomb, tmp_path, limits=Limits(ratio_from_bytes=2**20))
    assert "not safe to unpack" in refusal(zipped(b"a 1 2\n" * 3_000_000), tmp_path, limits=Limits(ratio_from_bytes=2**20))


def test_endless_rows_of_nothing_are_not_read_to_their_end(tmp_path: Path) -> None:
    seen: list[float] = []
    said = refusal(glove(VECTORS) + b"\n" * 30_000_000, tmp_path, progress=seen.append)
    assert "Most of its rows" in said and all(share < 0.5 for share in seen)


def test_a_file_that_is_gone_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't be opened"):
        convert(tmp_path / "gone.txt", tmp_path / "set")


def test_the_share_that_is_done_only_grows_and_ends_at_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_files, "REPORT_EVERY_S", 0.0)
    for data in (glove(some([f"w{i}" for i in range(3000)])), gzip.compress(FORMS["fasttext"][0]), zipped(FORMS["binary"][0])):
        seen: list[float] = []
        of_file(data, tmp_path, progress=seen.append)
        assert len(seen) > 2 and seen == sorted(seen) and seen[-1] == 1.0 and seen[0] < 1


def test_the_language_is_told_by_the_words(tmp_path: Path) -> None:
    assert of_file(glove(some(ENGLISH.split())), tmp_path)[0].languages == ("en",)
    assert of_file(glove(some([f"的{chr(0x4e00 + i)}" for i in range(60)])), tmp_path)[0].languages == ("zh",)
    assert of_file(glove(VECTORS), tmp_path)[0].languages == (), "too few words tell nothing"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.sampled_from(sorted(FORMS)), cut=st.integers(0, 400), packed=st.booleans(),
       changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6))
def test_garbled_files_are_read_or_refused_in_words(tmp_path: Path, form: str, cut: int, packed: bool,
                                                    changes: list[tuple[int, int]]) -> None:
    data = bytearray(gzip.compress(FORMS[form][0]) if packed else FORMS[form][0])
    for at, byte in changes:
        data[at % len(data)] = byte
    path = tmp_path / "garbled"
    path.write_bytes(data[:cut] if cut % 3 else data)
    try:
        facts = convert(path, tmp_path / "made", most_words=1000)
    except UserError as error:
        assert error.title and error.fix
    else:
        assert len(load_vectors(tmp_path / "made")) == facts.kept + 2
