"""The models of word vectors, as rows of facts. Torch-free."""
from __future__ import annotations

from pathlib import Path

from core.models.own_files import shapes_in
from core.models.rows import BlockFacts, ModelRow, TextInput
from core.models.words.vector_sets import list_vector_sets
from core.models.words.vector_sets import stem_of as stem_of_set
from core.models.words.vectors import shape_of, stem_of
from core.workspace import Workspace

BUCKETS = 1 << 17
CHARACTER_WIDTH = 32
CHARACTER_STD = 0.05
"""Of the characters' vectors, before they learn."""
HIDDEN = 128
"""Width of the LSTM, each way."""
HEAD_DROPOUT = 0.3
UNSPELLED = 0.5
COUNTED_TOKENS = 32
MOST_TOKENS = 1024
NOTES = {"word vectors": "what each word means by itself", "characters": "spelling: new, learned from your texts alone",
         "BiLSTM": "words in their order: new, learned from your texts", "head": "sums up the text and decides between the labels"}
LSTM_FAMILY = "lstm"


def shape_of_row(row: ModelRow) -> tuple[int, int, int]:
    """Vectors, their width, and the width of the LSTM (0: the vectors are averaged)."""
    n_words, width = shapes_in(row)["words.weight"] if row.own_file else shape_of(stem_of(row))
    return n_words, width, HIDDEN if row.builder == LSTM_FAMILY else 0


def block_facts(n_words: int, width: int, hidden: int, source_classes: int = 2) -> tuple[BlockFacts, ...]:
    """The blocks of a network of word vectors, multiplications for `COUNTED_TOKENS` tokens."""
    features = (4 * hidden if hidden else width) + CHARACTER_WIDTH
    reader = 2 * 4 * hidden * (width + hidden + 2)
    rows = [("word vectors", "word vectors", n_words * width, 0, False), ("characters", "characters", BUCKETS * CHARACTER_WIDTH, 0, True),
            *([("BiLSTM", "BiLSTM", reader, COUNTED_TOKENS * 2 * 4 * hidden * (width + hidden), True)] if hidden else []),
            ("pool", "head", 0, 0, False), ("head", "head", source_classes * (features + 1), source_classes * features, True)]
    return tuple(BlockFacts(name, group, parameters, macs, NOTES[group], new) for name, group, parameters, macs, new in rows)


def row_of(key: str, title: str, n_words: int, width: int, *, lstm: bool, repo: str = "", size_bytes: int, licence: str, learnt_from: str,
           limits: str, languages: str) -> ModelRow:
    """The row of a set of word vectors, averaged or read by an LSTM."""
    hidden = HIDDEN if lstm else 0
    blocks = block_facts(n_words, width, hidden)
    return ModelRow(
        key=key, title=title, family="Word vectors", builder=LSTM_FAMILY if lstm else "", weights="", weights_file=f"{Path(repo).name or 'graft-words'}.safetensors",
        size_bytes=size_bytes, parameters=sum(block.parameters for block in blocks), feature_width=(4 * hidden if hidden else width) + CHARACTER_WIDTH,
        score=None, limits=limits, task="text", adapter="words", repo=repo, source_classes=2, licence=licence, learnt_from=learnt_from, score_source="",
        input=TextInput(max_tokens=MOST_TOKENS, tokens=256, counted_tokens=COUNTED_TOKENS, pooling="mean", ngram_buckets=BUCKETS,
                        languages=languages), blocks=blocks)


BUILT_IN_SHAPE = (29_525, 256)
"""Vectors of the built-in set and their width; a test compares them with its file."""
BUILT_IN_FACTS = {
    "size_bytes": 8_063_324,
    "licence": "Apache-2.0, as the network that the vectors were distilled from (all-MiniLM-L6-v2)",
    "learnt_from": "all-MiniLM-L6-v2, which learned from a billion pairs of English sentences; each word's vector is what that network "
                   "says of the word alone",
    "languages": "English; others through their spelling",
}
WORD_ROWS: tuple[ModelRow, ...] = (
    row_of("graft-words", "Graft Words", *BUILT_IN_SHAPE, lstm=False, **BUILT_IN_FACTS,
           limits="It averages the words, so their order tells it little. For Chinese, and for misspelt words, nothing is pretrained: "
                  "that part is learned from your texts."),
    row_of("graft-words-lstm", "Graft Words + BiLSTM", *BUILT_IN_SHAPE, lstm=True, **BUILT_IN_FACTS,
           limits="The LSTM that reads the words in order is new and wants some hundred texts. For Chinese, and for misspelt words, "
                  "nothing is pretrained: that part is learned from your texts."),
)


def rows_of_sets(ws: Workspace) -> list[ModelRow]:
    """Two rows for each set of word vectors that was brought into the workspace: averaged, and read by an LSTM."""
    rows = []
    for found in list_vector_sets(ws):
        facts = {"repo": str(stem_of_set(ws, found.key)), "size_bytes": found.size_bytes, "languages": "the language of its vectors",
                 "licence": "As whoever published the vectors says.", "learnt_from": "Whatever texts the vectors were made from."}
        rows += [row_of(f"words:{found.key}", found.title, found.n_words, found.dims, lstm=False, limits=WORD_ROWS[0].limits, **facts),
                 row_of(f"words:{found.key}:lstm", f"{found.title} + BiLSTM", found.n_words, found.dims, lstm=True, limits=WORD_ROWS[1].limits,
                        **facts)]
    return rows
