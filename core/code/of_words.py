"""Networks of word vectors in a script. Torch-free."""
from __future__ import annotations

from core.bundle.reading import CHARACTERS_A_TOKEN, LONGEST_NGRAM, UNSPACED
from core.code.asked import WEIGHTS, Asked, Part, part, scaled
from core.code.heads import made
from core.code.texts import cut, starts
from core.code.texts import data as data_of_texts
from core.code.texts import settings as settings_of_texts
from core.models.heads import HEAD_STD, Layers, layers
from core.models.words.rows import CHARACTER_STD, CHARACTER_WIDTH, HEAD_DROPOUT, UNSPELLED, shape_of_row
from core.models.words.vectors import is_scaled, stem_of
from core.text_preprocess import TextPreprocess

__all__ = ["data", "last_layer", "network", "settings"]

LETTERS = f'r"{UNSPACED.pattern}"'
NGRAMS = f'''
def ngrams(text):
    """Words, pairs of them, and 3 to {LONGEST_NGRAM} letters in a row in each; 1 to 3 where no spaces are set."""
    found, before = [], ""
    for word in re.findall(rf"{{LETTERS}}+|\\w+|[^\\w\\s]", unicodedata.normalize("NFKC", text).lower()):
        marked, sizes = word, (1, 2, 3)
        if not re.match(LETTERS, word):
            marked = f"<{{word}}>"
            sizes = (len(marked), *range(3, min({LONGEST_NGRAM + 1}, len(marked))))
        found += [marked[i:i + size] for size in sizes for i in range(len(marked) - size + 1)]
        found.append(f"{{before}} {{word}}")
        before = word
    return found[:MOST]


'''


def settings(asked: Asked) -> str:
    n_words, _, _ = shape_of_row(asked.row)
    return (f"LETTERS = {LETTERS}  # unspaced\n"
            f"N_WORDS, BUCKETS = {n_words}, {asked.preprocess.ngram_buckets}  # vectors of words, and behind them of groups of letters\n"
            f"{settings_of_texts(asked)}")


def data(asked: Asked) -> Part:
    how: TextPreprocess = asked.preprocess
    most = CHARACTERS_A_TOKEN * how.max_tokens * (how.windows if how.window else 1)
    before = NGRAMS.replace("MOST", str(most)).lstrip()
    tokens = f"[i for start in {starts(how)} for i in ids[start:start + ROOM]]" if how.window else "ids[:ROOM]"
    return data_of_texts(asked, before, f'''{cut(how)}    hashed = [N_WORDS + zlib.crc32(some.encode()) % BUCKETS for some in ngrams(text)]
    return ({tokens} or [{how.empty}]) + hashed''', ("re", "unicodedata", "zlib"))


def network(asked: Asked) -> Part:
    """Tables of vectors, a reader where there is one, and the head; and `logits_of`."""
    n_words, width, hidden = shape_of_row(asked.row)
    table = "Embedding" if hidden else "EmbeddingBag"
    reader = f'\n    "reader": nn.LSTM({width}, {hidden}, batch_first=True, bidirectional=True),' if hidden else ""
    head: Layers = [["Dropout", HEAD_DROPOUT], *layers(asked.plan.head, asked.row.feature_width, asked.answers.n_outputs)]
    return part(f'''
# ---- the network ----

torch.manual_seed(SEED)
model = nn.ModuleDict({{
    "words": nn.{table}(N_WORDS, {width}, sparse=True),
    "characters": nn.EmbeddingBag(BUCKETS, {CHARACTER_WIDTH}, sparse=True),{reader}
    "head": {made(head, "    ")},
}})
{_begun(asked, width)}


def logits_of(items, some, training=False):
    """What the network says of some texts, by their words and beside them their letters."""
    texts = [torch.tensor(items[i]) for i in some]
    ids = nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=-1)
    is_word, is_ngram = (ids >= 0) & (ids < N_WORDS), ids >= N_WORDS
    if training:  # one in two is left out, so that none is relied on
        is_ngram &= torch.rand(ids.shape) >= {UNSPELLED!r}
    n = is_ngram.sum(1)
    characters = model["characters"](ids[is_ngram] - N_WORDS, n.cumsum(0) - n)  # their mean
    n = is_word.sum(1)
{_read_in_order() if hidden else _averaged()}
    return {scaled(asked, 'model["head"](x)')}
''', "nn", *(("load_file",) if asked.loads_file else ()), *(() if hidden else ("F",)))


def last_layer(asked: Asked) -> str:
    return 'model["head"][-1]'


def _begun(asked: Asked, width: int) -> str:
    """Lines that fill the network: what is new with small random numbers."""
    small = f'''nn.init.normal_(model["characters"].weight, 0.0, {CHARACTER_STD!r})  # what is new begins small
nn.init.normal_(model["head"][-1].weight, 0.0, {HEAD_STD!r})
nn.init.zeros_(model["head"][-1].bias)'''
    if asked.row.own_file and asked.pretrained:
        return f'''{small}
source = {{name: x for name, x in load_file("{WEIGHTS}").items() if not name.startswith("head.")}}
model.load_state_dict(source, strict=False)'''
    if not asked.pretrained:
        return f'{small}\nnn.init.normal_(model["words"].weight, 0.0, {width ** -0.5!r})'
    scales = ' * source["scales"].float()[:, None]' if is_scaled(stem_of(asked.row)) else ""
    return f'''{small}
source = load_file("{WEIGHTS}")
vectors = source["vectors"].float(){scales}
model["words"].load_state_dict({{"weight": vectors}})'''


def _averaged() -> str:
    return '''    words = model["words"](ids[is_word], n.cumsum(0) - n)
    x = torch.cat([F.layer_norm(words, words.shape[1:]), characters], 1)'''


def _read_in_order() -> str:
    return '''    is_word = is_word[:, :n.max()]  # words come first
    x = model["words"](ids[:, :n.max()] * is_word)
    x = nn.utils.rnn.pack_padded_sequence(x, n, batch_first=True, enforce_sorted=False)
    x = nn.utils.rnn.pad_packed_sequence(model["reader"](x)[0], batch_first=True)[0]
    mean = (x * is_word[..., None]).sum(1) / n[:, None]
    largest = x.masked_fill(~is_word[..., None], float("-inf")).amax(1)
    x = torch.cat([mean, largest, characters], 1)'''
