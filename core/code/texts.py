"""Texts in a script, whatever network reads them. Torch-free."""
from __future__ import annotations

from core.code.asked import TOKENIZER, Asked, Part, part, scale
from core.code.items import GENERATOR, HEADING, joined, sides
from core.text_preprocess import TextPreprocess

POOL = 50
"""Batches whose texts are sorted by length together (`core.training.order`)."""


def settings(asked: Asked) -> str:
    how: TextPreprocess = asked.preprocess
    room, before, behind = how.max_tokens - len(how.prefix) - len(how.suffix), list(how.prefix), list(how.suffix)
    marked = f"ROOM, PREFIX, SUFFIX = {room}, {before!r}, {behind!r}  # tokens that are read at once, and marks around them"
    return f"{marked if before or behind else f'ROOM = {room}  # tokens that are read at once'}\n{scale(asked)}"


def data(asked: Asked, before: str = "", read: str = "", imports: tuple[str, ...] = ()) -> Part:
    """From texts to `sides` and `batches`. `before`: what else is needed to read a text; `read`: lines that do it, from the `ids` of its
    tokens to what `read` returns."""
    count = "sum(map(len, text))" if asked.preprocess.window and not read else "len(text)"
    batches = f'''

def batches(epoch):
    """The order of an epoch, in batches of texts of like length, so that little is padded."""
    {GENERATOR}
    lengths = torch.tensor([{count} for text in items])
    pools = torch.randperm(len(items), generator=generator).split({POOL} * BATCH)
    order = torch.cat([pool[lengths[pool].argsort(stable=True)] for pool in pools]).split(BATCH)
{joined(asked)}    return [order[i] for i in torch.randperm(len(order), generator=generator)]'''
    return part(f'''
{HEADING}

tokenizer = Tokenizer.from_file("{TOKENIZER}")
tokenizer.no_truncation()
tokenizer.no_padding()


{before}def read(text):
    """What the network reads of a text."""
    ids = tokenizer.encode(text, add_special_tokens=False).ids
{read or _marked(asked)}


{sides(asked, '[read(row["text"]) for row in own]', "what is read of its texts")}
{"" if asked.at_once else batches}
''', "json", "Tokenizer", *imports)


def _marked(asked: Asked) -> str:
    how: TextPreprocess = asked.preprocess
    if how.window:
        each = _with_marks(how, "ids[start:start + ROOM]")
        return f"    return [{each} for start in {starts(how)}]  # windows"
    return f"{cut(how)}    return {_with_marks(how, 'ids[:ROOM]')}"


def cut(how: TextPreprocess) -> str:
    """Lines that bring `ids` to what is read of a long text, where that is not its start."""
    return "" if how.long_texts != "ends" else '''    if len(ids) > ROOM:  # of a long text its start and, three times as much, its end
        ids = ids[:ROOM // 4] + ids[len(ids) - ROOM + ROOM // 4:]
'''


def starts(how: TextPreprocess) -> str:
    """An expression: where windows begin. An eighth of each is read again in the next one."""
    return f"range(0, max(1, len(ids) - ROOM // 8), ROOM - ROOM // 8)[:{how.windows}]"


def _with_marks(how: TextPreprocess, ids: str) -> str:
    return f"PREFIX + {ids} + SUFFIX" if how.prefix or how.suffix else f"{ids} or [{how.empty}]"
