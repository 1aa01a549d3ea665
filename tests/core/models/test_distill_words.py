"""Anyone can make word vectors of their own out of a sentence encoder with a WordPiece vocabulary."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoModel, BertConfig, BertModel, PreTrainedTokenizerFast

from core.models.words.vectors import load_tokenizer, load_vectors, read_metadata
from tools.distill_words import distill, encode, kept_tokens, main, principal, shares, without_frame

SPECIAL = ("[CLS]", "[SEP]", "[MASK]")
VOCABULARY = ("[PAD]", "[unused0]", "[UNK]", *SPECIAL, "[", "]", "!", ".", "a", "好", "##s", "the", "of", "cat", "dog", "[unused1]", "house")
KEPT = ["[PAD]", "[UNK]", "[", "]", "!", ".", "a", "好", "##s", "the", "of", "cat", "dog", "house"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one layer with random weights, kept in fp16, whose tokenizer frames, pads and cuts texts."""
    folder = tmp_path_factory.mktemp("encoder")
    backend = Tokenizer(WordPiece({token: i for i, token in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = BertNormalizer(lowercase=True), BertPreTokenizer()
    backend.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 3), ("[SEP]", 4)])
    backend.enable_padding(length=8)
    backend.enable_truncation(6)
    PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
                            mask_token="[MASK]").save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                         intermediate_size=32)).half().save_pretrained(folder)
    return folder


def test_tokens_that_no_text_contains_are_left_out() -> None:
    assert kept_tokens({token: i for i, token in enumerate(VOCABULARY)}) == KEPT


def test_the_tokenizer_cuts_as_before_and_adds_nothing(encoder: Path) -> None:
    before = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    after = without_frame(before, KEPT)
    text = "The CATS of\tthe house, 好! [CLS] a a a a a [PAD]"
    before.no_padding()
    before.no_truncation()
    expected = ["[UNK]" if token in SPECIAL else token for token in before.encode(text, add_special_tokens=False).tokens]
    assert after.encode("The CATS of\tthe house, 好!").tokens == ["the", "cat", "##s", "of", "the", "house", "[UNK]", "好", "!"]
    assert after.encode("the cat " * 10).tokens == ["the", "cat"] * 10, "nothing is cut"
    assert after.encode("a").ids == [KEPT.index("a")], "nothing is added"
    assert after.encode(text).tokens[:9] == expected[:9]
    assert after.get_vocab() == {token: i for i, token in enumerate(KEPT)}


def test_a_token_is_encoded_as_a_sentence_of_its_own(encoder: Path) -> None:
    model = AutoModel.from_pretrained(encoder, dtype=torch.float32).eval()
    ids = torch.arange(len(VOCABULARY)).repeat(20)  # more than one batch
    encoded = encode(model, ids, 3, 4)
    with torch.inference_mode():
        alone = model(input_ids=torch.tensor([[3, 13, 4]])).last_hidden_state[0].mean(dim=0)
    assert encoded.shape == (20 * len(VOCABULARY), 16)
    np.testing.assert_allclose(encoded[13::len(VOCABULARY)], np.tile(alone.numpy(), (20, 1)), atol=1e-5)


def test_principal_components_keep_what_differs_most() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(500, 6)) * [9, 1, 5, 0.1, 0.1, 0.1] + 50
    whole, all_of_it = principal(vectors, 6)
    np.testing.assert_allclose(np.linalg.norm(whole[0] - whole[1:], axis=1), np.linalg.norm(vectors[0] - vectors[1:], axis=1))
    assert all_of_it == pytest.approx(1)
    two, explained = principal(vectors, 2)
    np.testing.assert_allclose(two, whole[:, :2])
    assert np.abs(np.corrcoef(two[:, 0], vectors[:, 0])[0, 1]) > 0.99 and np.abs(np.corrcoef(two[:, 1], vectors[:, 2])[0, 1]) > 0.99
    assert explained == pytest.approx((two.var(axis=0).sum()) / vectors.var(axis=0).sum()) and 0.98 < explained < 1


def test_words_are_rarer_the_later_they_stand_and_characters_go_by_english() -> None:
    share = dict(zip(KEPT, shares(KEPT), strict=True))
    assert sum(share.values()) == pytest.approx(1)
    assert share["##s"] > share["the"] > share["of"] > share["cat"] > share["dog"] > share["house"]
    assert share["."] == pytest.approx(share["of"]), "third among characters, as “of” is the third word here"
    assert share["好"] == share["["] == min(share.values())


def test_frequent_tokens_are_short_and_padding_is_zero() -> None:
    encoded = np.random.default_rng(0).normal(size=(len(KEPT), 16))
    vectors, _ = distill(encoded, KEPT, 4, damping=0.1)
    share = shares(KEPT)
    assert vectors.shape == (len(KEPT), 4)
    np.testing.assert_allclose(np.linalg.norm(vectors[2:], axis=1), 0.1 / (0.1 + share[2:]))
    assert not vectors[:2].any()


def test_the_script_makes_the_same_set_twice(encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        main([str(encoder), "--out", str(tmp_path / name), "--dims", "8", "--licence", "CC0"])
    vectors = load_vectors(tmp_path / "one")
    assert vectors.shape == (len(KEPT), 8) and torch.equal(vectors, load_vectors(tmp_path / "two"))
    assert load_tokenizer(tmp_path / "one").get_vocab() == {token: i for i, token in enumerate(KEPT)}
    described = read_metadata(tmp_path / "one")
    assert (described["source"], described["licence"], described["dims"]) == (str(encoder), "CC0", 8)
    assert f"{len(KEPT)} tokens, 8 dims" in capsys.readouterr().out
