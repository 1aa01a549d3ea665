"""What scripts of all networks do with the items of a dataset: read the list, bring them to sides, draw batches. Torch-free."""
from __future__ import annotations

from core.code.asked import ITEMS, Asked
from core.code.objectives import lines_of
from core.specs import SIDES

HEADING = "# ---- the items ----"
ROWS = f'rows = [json.loads(line) for line in open("{ITEMS}", encoding="utf-8")]'
GENERATOR = "generator = torch.Generator().manual_seed(SEED * 100_003 + epoch)"


def sides(asked: Asked, items: str, comment: str) -> str:
    """`items`: an expression of the rows `own` of a side; `comment`: what it gives."""
    names = tuple(side for side in SIDES if asked.sizes.get(side))
    return f'''{ROWS}
sides = {{}}  # by side of the split: {comment}, and the right answers
for side in {names!r}:
    own = [row for row in rows if row["split"] == side]
    items = {items}
    targets = {lines_of(asked).targets}
    sides[side] = items, targets
items, targets = sides["train"]'''


def joined(asked: Asked, order: str = "order") -> str:
    """Lines that make a list of the batches `order`, none with a single item."""
    return f'''    {order} = list({order})
    {order}[-2:] = [torch.cat({order}[-2:])]  # no batch is of one item alone
''' if asked.adds_to_batches else ""
