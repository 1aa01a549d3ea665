"""SetFit's first half in a script: what the network says before its head is compared in pairs (`core.training.contrastive`). Torch-free."""
from __future__ import annotations

from core.code.asked import Asked, Part, part
from core.models.rows import Adapter
from core.training.pairs import MOST_PAIRS, MOST_PER_LABEL, PAIRS_A_STEP, ROUNDS

ONE_ROW: dict[Adapter, str] = {"transformers": "x[:, 0] if x.ndim == 3 else x"}
"""By adapter: what enters the head as one row of numbers an item. transformers' own heads take the first token by themselves."""


def pairs(asked: Asked) -> Part:
    return part(f'''
# ---- first, items are compared in pairs (SetFit, arXiv:2209.11055) ----

generator = torch.Generator().manual_seed(SEED)
members = [torch.nonzero(targets == label).flatten() for label in targets.unique()]
members = [m[torch.randperm(len(m), generator=generator)[:{MOST_PER_LABEL}]] for m in members]
pairs, alike = [], []
for i, own in enumerate(members):
    first, others = own.repeat({ROUNDS}), members[:i] + members[i + 1:]
    for pool, same in [(own, 1.0)] + ([(torch.cat(others), 0.0)] if others else []):
        second = pool[torch.randint(len(pool), (len(first),), generator=generator)]
        pairs.append(torch.stack([first, second], 1))
        alike.append(torch.full((len(first),), same))
order = torch.randperm(sum(map(len, alike)), generator=generator)[:{MOST_PAIRS}]
pairs, alike = torch.cat(pairs)[order].split({PAIRS_A_STEP}), torch.cat(alike)[order].split({PAIRS_A_STEP})

seen = []  # what enters the head
hook = model.get_submodule({_head_entry(asked)!r}).register_forward_pre_hook(
    lambda module, inputs: seen.append(inputs[0]))
set_learning(TUNED)
optimizer, steps = optimizer_of(TUNED), len(pairs)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, cosine)
for step, (some, same) in enumerate(zip(pairs, alike)):
    torch.manual_seed(SEED * 1_000_003 + step)  # for dropout
    logits_of(items, some.T.flatten())
    x = seen.pop()
    one, other = ({ONE_ROW.get(asked.row.adapter, "x.flatten(1)")}).chunk(2)
    model.zero_grad()
    F.mse_loss(F.cosine_similarity(one, other), same).backward()
    optimizer.step()
    schedule.step()
hook.remove()
''', "F")


def _head_entry(asked: Asked) -> str:
    """The module that is given what the network says before its head."""
    last = asked.modules[asked.row.blocks[-1].name]
    return {"SqueezeNet": "classifier.2"}.get(asked.row.family, last[0])  # its head begins with the pooling
