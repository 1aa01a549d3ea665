"""How texts become what a network reads."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from core.bundle.reading import arranged, batch_of, ngrams, open_tokenizer, read
from core.data.versions import load_version
from core.errors import SettingsError
from core.models.catalog import find
from core.specs import LongTexts, TrainConfig
from core.tasks import text_facts, texts
from core.text_preprocess import TextPreprocess
from core.workspace import Workspace
from tests.core.jobs.texts import text_dataset

WORDS = find("graft-words")


@pytest.fixture
def tokenizer_file(tmp_path: Path) -> Path:
    """Words w0 … w99 have the ids 4 … 103; [CLS] and [SEP] stand around every text."""
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3} | {f"w{i}": i + 4 for i in range(100)}
    made = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    made.enable_truncation(5)  # as some are published: ours does not cut
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def preprocess(file: Path, how: LongTexts = "start", most: int = 10, **settings: int) -> TextPreprocess:
    return TextPreprocess(str(file), most, how, (2,), (3,), 1, **settings)


def counting(n: int) -> str:
    return " ".join(f"w{i}" for i in range(n))


def ids(*numbers: int) -> list[int]:
    return [2, *(number + 4 for number in numbers), 3]


def of(file: Path, text: str, **settings: object) -> list[int]:
    how = preprocess(file, **settings)  # type: ignore[arg-type]
    return read(open_tokenizer(str(file)), [text], how)[0]


def test_a_short_text_is_read_whole_between_its_marks(tokenizer_file: Path) -> None:
    assert of(tokenizer_file, counting(3)) == ids(0, 1, 2)
    assert of(tokenizer_file, counting(8)) == ids(*range(8))


def test_of_a_long_text_the_start_is_read(tokenizer_file: Path) -> None:
    assert of(tokenizer_file, counting(50)) == ids(*range(8))


def test_of_a_long_text_both_ends_are_read(tokenizer_file: Path) -> None:
    assert of(tokenizer_file, counting(50), how="ends") == ids(0, 1, *range(44, 50))


def test_a_very_long_text_is_read_at_its_true_end(tokenizer_file: Path) -> None:
    assert of(tokenizer_file, counting(10) + " w11" * 100_000 + " w99", how="ends")[-2] == 99 + 4


def test_windows_are_full_but_for_the_last_and_overlap(tokenizer_file: Path) -> None:
    rows = of(tokenizer_file, counting(20), how="windows", most=18)  # 16 of the text in each, 2 of them twice
    assert rows == ids(*range(16)) + ids(*range(14, 20))
    assert of(tokenizer_file, counting(16), how="windows", most=18) == ids(*range(16))


def test_so_many_windows_are_read_and_no_more(tokenizer_file: Path) -> None:
    assert len(of(tokenizer_file, counting(100) + " w1" * 500, how="windows", windows=3)) == 30


@pytest.mark.parametrize("n", range(1, 60))
def test_every_word_of_a_text_is_in_some_window(tokenizer_file: Path, n: int) -> None:
    rows = of(tokenizer_file, counting(n), how="windows", most=12, windows=50)
    assert set(range(4, n + 4)) <= set(rows)
    assert all(rows[start] == 2 for start in range(0, len(rows), 12))


@pytest.mark.parametrize("text", ["", " \n\t", "\ud800", "\x00", "🙂" * 3000, "x" * 1_000_000], ids=["empty", "blank", "half", "zero", "signs", "long"])
def test_odd_texts_are_read_too(tokenizer_file: Path, text: str) -> None:
    assert 2 <= len(of(tokenizer_file, text, ngram_buckets=64, ngram_offset=104))
    bare = TextPreprocess(str(tokenizer_file), 10, "start", empty=1)
    assert read(open_tokenizer(str(tokenizer_file)), [text], bare)[0]


def test_ngrams_follow_the_words_and_have_numbers_of_their_own(tokenizer_file: Path) -> None:
    row = of(tokenizer_file, counting(2), ngram_buckets=64, ngram_offset=104)
    assert row[:4] == ids(0, 1) and row[4:] and all(104 <= number < 168 for number in row[4:])


def test_ngrams_are_parts_of_words_and_of_runs_of_chinese() -> None:
    found = ngrams("Great 外卖!", 500)
    assert {"<great>", "<gr", "reat", "reat>", "外", "卖", "外卖", "great 外卖"} <= set(found) and "<外卖>" not in found


def test_a_misspelt_word_shares_ngrams_with_the_right_one() -> None:
    assert len(set(ngrams("wonderful", 500)) & set(ngrams("wonderfull", 500))) > 10


def test_what_is_taken_home_as_json_reads_alike(tokenizer_file: Path) -> None:
    how = preprocess(tokenizer_file, "windows", ngram_buckets=64, ngram_offset=104)
    again = TextPreprocess.from_dict(how.to_dict())
    assert again == replace(how, tokenizer="tokenizer.json")
    tokenizer = open_tokenizer(str(tokenizer_file))
    assert read(tokenizer, [counting(30)], how.to_dict()) == read(tokenizer, [counting(30)], how)


def test_too_little_room_for_a_token_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="room for a token"):
        TextPreprocess("t", 2, "start", (1,), (2,))
    assert arranged([], TextPreprocess("t", 2, "start", empty=7)) == [7]


def test_a_batch_is_padded_with_zeros() -> None:
    x, lengths = batch_of([(5, 6, 7), (8,)])
    assert x.tolist() == [[5, 6, 7], [8, 0, 0]] and lengths.tolist() == [3, 1]
    assert batch_of([])[0].shape == (0, 0)


def test_counts_say_how_much_is_cut(ws: Workspace, tmp_path: Path) -> None:
    data = text_dataset(ws, tmp_path)
    version = load_version(ws, data)
    whole = text_facts.token_counts(ws, WORDS, TrainConfig(), data, version)
    short = text_facts.token_counts(ws, WORDS, TrainConfig(max_tokens=5), data, version)
    assert whole and short and whole.counts == short.counts and len(whole.counts) == len(version.items)
    assert whole.cut == 0 and short.cut == sum(count > 5 for count in short.counts) / len(short.counts) > 0
    assert max(short.read()) == 5 and text_facts.token_counts(ws, WORDS, TrainConfig(max_tokens=5, long_texts="windows"), data, version).cut == 0


def test_more_tokens_than_a_model_reads_are_refused() -> None:
    text_facts.check(WORDS, TrainConfig(max_tokens=1024))
    with pytest.raises(SettingsError, match="1024 tokens at most"):
        text_facts.check(WORDS, TrainConfig(max_tokens=1025))


def test_without_the_model_the_length_is_guessed_from_the_letters(ws: Workspace, tmp_path: Path) -> None:
    data = text_dataset(ws, tmp_path)
    away = replace(find("graft-words"), repo=str(tmp_path / "away"))
    assert text_facts.token_counts(ws, away, TrainConfig(), data, load_version(ws, data)) is None
    assert text_facts.cost(ws, away, TrainConfig(), data, load_version(ws, data)).work > 0


def test_each_different_text_is_read_once_and_said(ws: Workspace, tmp_path: Path) -> None:
    data, told = text_dataset(ws, tmp_path), list[tuple[int, int]]()
    version = load_version(ws, data)
    how = text_facts.preprocess(ws, WORDS, TrainConfig())
    made = texts.splits(ws, data, version, how, TrainConfig(), lambda done, total: told.append((done, total)))
    assert told[-1] == (len({item.sha for item in version.items}),) * 2
    assert torch.equal(made["train"].lengths, torch.tensor([len(row) for row in made["train"].rows]))
