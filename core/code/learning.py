"""What of the network trains, when and how fast: the part of a script that is the same for all networks. Torch-free."""
from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from core.code.asked import WIDTH, Asked, Part, named_prefixes, packed, part, prefixes
from core.code.lora import adapters
from core.models.rows import Adapter
from core.specs import BlockPlan, FreezePlan, OptimizerKey, ScheduleKey
from core.training.pairs import head_alone

OPTIMIZERS: dict[OptimizerKey, str] = {
    "sgd": "torch.optim.SGD({groups}, lr=LEARNING_RATE, momentum={momentum!r}, nesterov={nesterov!r})",
    "adam": "torch.optim.Adam({groups}, lr=LEARNING_RATE)",
    "adamw": "torch.optim.AdamW({groups}, lr=LEARNING_RATE)",
    "lbfgs": "torch.optim.AdamW({groups}, lr=LEARNING_RATE)",  # of more than a linear head
    "rmsprop": "torch.optim.RMSprop({groups}, lr=LEARNING_RATE, momentum={momentum!r})",
}
WARM = "min(1, (step + 1) / max(1, 0.05 * steps))"
SCHEDULES: dict[ScheduleKey, tuple[str, Part]] = {
    "constant": ("", Part("")),
    "cosine": ("cosine", part(f'''
def cosine(step):
    """A share of the rate: it rises in the first 5 % of the steps, then falls to zero."""
    return {WARM} * (1 + math.cos(math.pi * step / steps)) / 2
''', "math")),
    "step": ("stepped", part(f'''
def stepped(step):
    """A share of the rate: it rises, falls to a tenth after 60 %, and once more after 85 %."""
    fallen = 1 if step < 0.6 * steps else 0.1 if step < 0.85 * steps else 0.01
    return {WARM} * fallen
''')),
}
"""By key: the name of the function, and the function."""
TABLES: dict[Adapter, tuple[str, ...]] = {"words": ("words", "characters")}
"""Modules that are tables of vectors, of which a batch touches a few rows."""


@dataclass(frozen=True, slots=True)
class Row:
    """Modules that learn alike."""
    paths: tuple[str, ...]
    share: float
    pull: float
    since: int


COLUMNS = {"share": (1.0, "share of the learning rate"), "pull": (0.0, "pull to the source"), "since": (0, "first epoch")}
"""Of a table of what trains: the value that goes without saying, and the heading."""


def what_trains(asked: Asked) -> Part:
    """The tables of what trains, thin adapters, and `set_learning`."""
    tables, columns = tables_of(asked), columns_of(asked)
    shown = "\n".join(_table(name, rows, columns) for name, rows in tables.items())
    thin = adapters(asked) if asked.adapted else Part("")
    return part(f'''
# ---- what learns, and how fast ----

{shown}
{thin.text}

def set_learning({_argument(asked, columns)}):
    """Let exactly that learn which {"does in this epoch" if "since" in columns else "is to"}; the rest is frozen and stays in eval()."""
{_awake(asked, columns)}    for name, module in model.named_modules():
        module.training = f"{{name}}.".startswith({_named(asked, columns)}){_statistics(asked)}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(f"{{name}}.".startswith({_named(asked, columns)}){_only_adapters(asked)})
''', *thin.imports)


def tables_of(asked: Asked) -> dict[str, list[Row]]:
    """By the name of a table: its rows."""
    if not asked.in_pairs:
        return {"TRAINED": _rows(asked, asked.plan)}
    trunk = FreezePlan((*(replace(block, from_epoch=0, anchor=0.0) for block in asked.plan.blocks[:-1]),
                        replace(asked.plan.blocks[-1], state="frozen")))
    return {"TUNED": _rows(asked, trunk), "TRAINED": _rows(asked, head_alone(asked.plan))}


def columns_of(asked: Asked) -> tuple[str, ...]:
    """What is said of each row beside its paths: that in which some of them differ from what goes without saying."""
    rows = [row for rows in tables_of(asked).values() for row in rows]
    return tuple(name for name, (usual, _) in COLUMNS.items() if any(getattr(row, name) != usual for row in rows))


def _rows(asked: Asked, plan: FreezePlan) -> list[Row]:
    found = []
    for settings, some in groupby((block for block in plan.blocks if block.state != "frozen"), _settings):
        if paths := tuple(path for block in some for path in asked.modules[block.name]):
            found.append(Row(paths, *settings))
    return found


def _settings(block: BlockPlan) -> tuple[float, float, int]:
    return block.lr_scale, block.anchor if block.state == "trained" else 0.0, block.from_epoch


def _table(name: str, rows: list[Row], columns: tuple[str, ...]) -> str:
    if not columns:
        return named_prefixes(name, [path for row in rows for path in row.paths], "names of what learns begin so")
    lines = [_row(row.paths, ", ".join(repr(getattr(row, column)) for column in columns)) for row in rows]
    headings = ", ".join(("names begin so", *(COLUMNS[column][1] for column in columns)))
    return f"{name} = [  # {headings}\n" + "\n".join(lines) + "\n]"


def _row(paths: tuple[str, ...], values: str) -> str:
    line = f"    ({prefixes(paths)!r}, {values}),"
    return line if len(line) <= WIDTH else f"    ((\n{packed(map(repr, prefixes(paths)), ' ' * 8)}\n    ), {values}),"


def _argument(asked: Asked, columns: tuple[str, ...]) -> str:
    return "table" if asked.in_pairs else "epoch" if "since" in columns else ""


def table_name(asked: Asked) -> str:
    """What functions call the table that they work with."""
    return "table" if asked.in_pairs else "TRAINED"


def _named(asked: Asked, columns: tuple[str, ...]) -> str:
    return "awake" if columns else table_name(asked)


def _awake(asked: Asked, columns: tuple[str, ...]) -> str:
    if not columns:
        return ""
    since = " if epoch >= since" if "since" in columns else ""
    return f"    awake = tuple(path for {unpacked(columns, {'since'})} in {table_name(asked)}{since} for path in paths)\n"


def unpacked(columns: Iterable[str], used: Collection[str]) -> str:
    """The names that a row of a table is taken apart to."""
    return ", ".join(("paths", *(column if column in used else "_" for column in columns)))


def _statistics(asked: Asked) -> str:
    """BatchNorm's stay the source's, as wished or beside adapters."""
    if not asked.row.batch_norm:
        return ""
    if asked.plan.batch_norm == "keep":
        return ' and not hasattr(\n            module, "running_mean")  # BatchNorm keeps the statistics of its source'
    return ' and not (\n            hasattr(module, "running_mean") and f"{name}.".startswith(LORA))' if asked.adapted else ""


def _only_adapters(asked: Asked) -> str:
    return ' and (\n            ".lora_" in name or not f"{name}.".startswith(LORA))' if asked.adapted else ""


def how_fast(asked: Asked) -> Part:
    """What changes by which rule, and the learning rate's schedule; where items are compared in pairs first, functions of these alone."""
    keys = dict.fromkeys((*(("cosine",) if asked.in_pairs else ()), asked.config.schedule))
    schedules = [SCHEDULES[key][1] for key in keys if key != "constant"]
    optimizers = [_optimizer_of(asked)] if asked.in_pairs else []
    functions = "\n\n\n".join((*optimizers, *(schedule.text for schedule in schedules)))
    lines = "" if asked.in_pairs else f"{steps(asked)}{_optimizers(asked)}"
    text = "\n\n\n".join(filter(None, (functions, lines)))
    return Part(text, frozenset().union(*(schedule.imports for schedule in schedules)))


def steps(asked: Asked) -> str:
    return "steps = EPOCHS * len(batches(0))\n" if asked.config.schedule != "constant" else ""


def tables_that_learn(asked: Asked) -> tuple[str, ...]:
    """Which of what learns are tables of vectors."""
    return tuple(path for path in asked.learning if path in TABLES.get(asked.row.adapter, ()))


def scheduled(asked: Asked, optimizer: str = "optimizer") -> str:
    """An expression; empty where the rate stays what it is."""
    name = SCHEDULES[asked.config.schedule][0]
    return f"torch.optim.lr_scheduler.LambdaLR({optimizer}, {name})" if name else ""


def _optimizers(asked: Asked) -> str:
    """`optimizer` and `schedule`; where tables of vectors learn lists of these, since tables are changed by a rule of their own."""
    tables = tables_that_learn(asked)
    if not tables:
        schedule = f"\nschedule = {scheduled(asked)}" if scheduled(asked) else ""
        return f"{_groups(asked, 'groups = [')}\noptimizer = {_optimizer(asked, 'groups')}{schedule}"
    others = '[g for g in groups if not g["table"]]'
    dense = f"    {_optimizer(asked, others)},\n" if set(asked.learning) - set(tables) else ""
    schedules = f"\nschedules = [{scheduled(asked, 'one')} for one in optimizers]" if scheduled(asked) else ""
    return f'''{_groups(asked, "groups = [", tables)}
optimizers = [  # of tables of vectors, only those rows change that a batch touches
{dense}    torch.optim.SparseAdam([g for g in groups if g["table"]], lr=LEARNING_RATE),
]{schedules}'''


def _optimizer_of(asked: Asked) -> str:
    return f'''def optimizer_of(table):
    """The rule by which all in the table changes."""
{_groups(asked, "    groups = [")}
    return {_optimizer(asked, "groups")}'''


def _optimizer(asked: Asked, groups: str) -> str:
    momentum = asked.config.momentum
    return OPTIMIZERS[asked.config.optimizer].format(groups=groups, momentum=momentum, nesterov=momentum > 0)


def _groups(asked: Asked, start: str, tables: tuple[str, ...] = ()) -> str:
    """A list of groups of parameters, as an optimizer takes them. `start`: what stands before it."""
    columns, indent = columns_of(asked), " " * len(start)
    free = " and not pull" if "pull" in columns else ""
    decay = f'"weight_decay": WEIGHT_DECAY if p.ndim > 1{free} else 0.0}}  # not on biases'
    rate = f'"lr": share * LEARNING_RATE,\n{indent} ' if "share" in columns else ""
    table = f'"table": name.startswith({prefixes(tables)!r}),\n{indent} ' if tables else ""
    rows = f"\n{indent}for {unpacked(columns, {'share', 'pull'})} in {table_name(asked)}" if columns else ""
    learns = f'f"{{name}}.".startswith({"paths" if columns else table_name(asked)})'
    return f'''{start}{{"params": [p], {rate}{table}{decay}{rows}
{indent}for name, p in model.named_parameters() if {learns}]'''
