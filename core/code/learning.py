"""What of the network trains, when, how fast and towards what: the part of a script that is the same for all networks. Torch-free."""
from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from core.code.asked import Asked, Part, listed, part
from core.code.objectives import LINES
from core.specs import BlockPlan, FreezePlan
from core.training.pairs import MOST_PAIRS, MOST_PER_LABEL, PAIRS_A_STEP, ROUNDS, head_alone

OPTIMIZERS: dict[str, str] = {
    "sgd": "torch.optim.SGD(groups, lr=LEARNING_RATE, momentum={momentum!r}, nesterov={nesterov!r})",
    "adam": "torch.optim.Adam(groups, lr=LEARNING_RATE)",
    "adamw": "torch.optim.AdamW(groups, lr=LEARNING_RATE)",
    "rmsprop": "torch.optim.RMSprop(groups, lr=LEARNING_RATE, momentum={momentum!r})",
}
WARM = "    warm = min(1.0, (step + 1) / max(1.0, 0.05 * steps))\n"
SCHEDULES: dict[str, Part] = {
    "constant": part('''
def constant(step, steps):
    """The learning rate of a step: always the same."""
    return LEARNING_RATE
'''),
    "cosine": part(f'''
def cosine(step, steps):
    """The learning rate of a step: it rises over the first 5 %, then falls to zero."""
{WARM}    return LEARNING_RATE * warm * 0.5 * (1 + math.cos(math.pi * step / steps))
''', "math"),
    "step": part(f'''
def stepped(step, steps):
    """The learning rate of a step: a tenth after 60 % of the training, a hundredth after 85 %."""
{WARM}    done = step / steps
    return LEARNING_RATE * warm * (1.0 if done < 0.6 else 0.1 if done < 0.85 else 0.01)
'''),
}
NAMES = {"constant": "constant", "cosine": "cosine", "step": "stepped"}


def what_trains(asked: Asked) -> Part:
    """The tables of what trains, thin adapters, and the functions that freeze."""
    adapted = bool(asked.plan.adapted())
    resting = "" if asked.plan.batch_norm == "adapt" else '\n        if hasattr(module, "running_mean"):  # the statistics stay the source\'s' \
                                                           "\n            module.training = False"
    if adapted and not resting:
        resting = '\n        if hasattr(module, "running_mean") and inside(name, LORA):\n            module.training = False  # keeps its statistics'
    only = "\n            and (\".lora_\" in name or not inside(name, LORA))" if adapted else ""
    text = f'''
# ---- what trains ----

{_tables(asked)}


def inside(name, modules):
    """Whether what is called so is one of these modules, or a part of one."""
    return any(f"{{name}}.".startswith(f"{{module}}.") for module in modules)


def learning(modules):
    """The parameters of these modules that can learn."""
    return [p for name, p in model.named_parameters() if inside(name, modules){only}]


def set_learning(table, epoch):
    """Let exactly that learn which does in this epoch; the rest is frozen and stays in eval()."""
    awake = [module for modules, *_, since in table if epoch >= since for module in modules]
    for name, module in model.named_modules():
        module.training = inside(name, awake){resting}
    model.requires_grad_(False)
    for parameter in learning(awake):
        parameter.requires_grad_(True)
'''
    return part(text + (_adapters(asked) if adapted else ""), *(("nn", "math", "parametrize") if adapted else ()))


def _tables(asked: Asked) -> str:
    if asked.config.method == "plain":
        return _table("TRAINED", asked, asked.plan)
    trunk = FreezePlan((*(replace(block, from_epoch=0, anchor=0.0) for block in asked.plan.blocks[:-1]),
                        replace(asked.plan.blocks[-1], state="frozen")))
    return f"{_table('TUNED', asked, trunk)}\n\n{_table('TRAINED', asked, head_alone(asked.plan))}"


def _table(name: str, asked: Asked, plan: FreezePlan) -> str:
    rows, pulled = [], _pulls(asked)
    for (_, scale, pull, since), some in groupby((block for block in plan.blocks if block.state != "frozen"), _settings):
        paths = [path for block in some for path in asked.modules[block.name]]
        if paths:
            rows.append(f"    ({listed(paths, '     ')}, {scale!r}, {f'{pull!r}, ' if pulled else ''}{since!r}),")
    columns = f"modules, share of the learning rate, {'pull to the source, ' if pulled else ''}first epoch"
    return f"{name} = [  # {columns}\n" + "\n".join(rows) + "\n]"


def _pulls(asked: Asked) -> bool:
    """Whether weights are pulled to their source (`core.training.anchor`). In the first half of SetFit none are."""
    return asked.config.method == "plain" and any(block.anchor and block.state == "trained" for block in asked.plan.blocks)


def _settings(block: BlockPlan) -> tuple[str, float, float, int]:
    return block.state, block.lr_scale, block.anchor if block.state == "trained" else 0.0, block.from_epoch


def _adapters(asked: Asked) -> str:
    paths = [path for name in asked.plan.adapted() for path in asked.modules[name]]
    kinds = {"torchvision": "nn.Linear, nn.Conv2d, nn.MultiheadAttention"}.get(asked.row.adapter, "nn.Linear, nn.Conv2d, Conv1D")
    weight = {"torchvision": '"in_proj_weight" if isinstance(module, nn.MultiheadAttention) else "weight"'}.get(asked.row.adapter, '"weight"')
    return f'''

LORA = {listed(paths, "")}
RANK, ALPHA = {asked.config.lora_rank}, {asked.config.lora_alpha}


class LoRA(nn.Module):
    """W + ALPHA / RANK · B · A: the weight W rests, two thin matrices learn (arXiv:2106.09685)."""

    def __init__(self, weight):
        super().__init__()
        self.lora_A = nn.Parameter(torch.empty(RANK, weight[0].numel()))
        self.lora_B = nn.Parameter(torch.zeros(len(weight), RANK))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, weight):
        return weight + ALPHA / RANK * (self.lora_B @ self.lora_A).view_as(weight)


# Added to the weight wherever it is read, also by attention, which never calls its inner layers.
for name, module in list(model.named_modules()):
    kinds = ({kinds})
    if inside(name, LORA) and isinstance(module, kinds) and getattr(module, "groups", 1) == 1:
        weight = {weight}
        parametrize.register_parametrization(module, weight, LoRA(getattr(module, weight)))
'''


def optimizer(asked: Asked) -> Part:
    config = asked.config
    made = OPTIMIZERS[config.optimizer].format(momentum=config.momentum, nesterov=config.momentum > 0)
    pulled = _pulls(asked)
    schedules = [SCHEDULES[key] for key in dict.fromkeys((config.schedule, *(("cosine",) if config.method == "contrastive" else ())))]
    text = f'''
# ---- how it learns ----

def optimizer_of(table):
    """Every part at its share of the rate. Biases and norms are not decayed{", nor what is pulled" if pulled else ""}."""
    groups = []
    for modules, share, {"pull, " if pulled else ""}_ in table:
        for thin in (False, True):
            some = [p for p in learning(modules) if (p.ndim <= 1) == thin]
            decay = 0.0 if thin{" or pull" if pulled else ""} else WEIGHT_DECAY
            groups.append({{"params": some, "share": share, "weight_decay": decay}})
    return {made}


''' + "\n\n\n".join(schedule.text for schedule in schedules)
    return Part(text.strip("\n"), frozenset().union(*(schedule.imports for schedule in schedules)))


def pairs(asked: Asked) -> Part:
    """SetFit's first half, where it is asked for."""
    return part(f'''
# ---- first, items are compared in pairs (SetFit, arXiv:2209.11055) ----

generator = torch.Generator().manual_seed(SEED)
labels = sides["train"][1]
members = [torch.nonzero(labels == label).flatten() for label in labels.unique()]
members = [m[torch.randperm(len(m), generator=generator)[:{MOST_PER_LABEL}]] for m in members]
pairs, alike = [], []
for i, own in enumerate(members):
    first, others = own.repeat({ROUNDS}), members[:i] + members[i + 1:]
    for pool, same in [(own, 1.0)] + ([(torch.cat(others), 0.0)] if others else []):
        second = pool[torch.randint(len(pool), (len(first),), generator=generator)]
        pairs.append(torch.stack([first, second], 1))
        alike.append(torch.full((len(first),), same))
order = torch.randperm(sum(map(len, alike)), generator=generator)[:{MOST_PAIRS}]
pairs, alike = torch.cat(pairs)[order], torch.cat(alike)[order]

seen = []  # what enters the head
hook = model.get_submodule({_head_entry(asked)!r}).register_forward_pre_hook(
    lambda module, inputs: seen.append(inputs[0]))
set_learning(TUNED, 0)
optimizer, steps = optimizer_of(TUNED), -(-len(pairs) // {PAIRS_A_STEP})
for step, (some, same) in enumerate(zip(pairs.split({PAIRS_A_STEP}), alike.split({PAIRS_A_STEP}))):
    for group in optimizer.param_groups:
        group["lr"] = group["share"] * cosine(step, steps)
    torch.manual_seed(SEED * 1_000_003 + step)
    logits_of(sides["train"][0], some.T.flatten())
    x = seen.pop()
    one, other = (x[:, 0] if x.ndim == 3 else x.flatten(1)).chunk(2)
    optimizer.zero_grad()
    F.mse_loss(F.cosine_similarity(one, other), same).backward()
    optimizer.step()
hook.remove()
''', "F")


def _head_entry(asked: Asked) -> str:
    """The module that is given what the network says before its head."""
    last = asked.modules[asked.row.blocks[-1].name]
    return {"SqueezeNet": "classifier.2"}.get(asked.row.family, last[0])  # its head begins with the pooling


def loop(asked: Asked) -> Part:
    """Epochs, the best one, and what is said about it at the end."""
    config, key = asked.config, asked.objective.key
    trained_by = "training_loss" if ((asked.objective.smoothing and config.label_smoothing > 0)
                                     or (asked.objective.weights and config.class_weights)) else "loss_of"
    pulled = _pulls(asked)
    sources = '''
sources = [(p, p.detach().clone(), pull) for modules, _, pull, _ in TRAINED if pull
           for p in learning(modules)]  # L2-SP (arXiv:1802.01483): where pulled weights began''' if pulled else ""
    pull = '''
        for p, source, pull in sources:
            if p.requires_grad:
                loss = loss + pull / 2 * (p - source).square().sum()''' if pulled else ""
    merged = '''
for module in list(model.modules()):  # what the adapters have learned becomes part of the weights
    for name in list(getattr(module, "parametrizations", ())):
        parametrize.remove_parametrizations(module, name)''' if asked.plan.adapted() else ""
    judged = next(side for side in ("test", "val", "train") if side in asked.sides)
    return part(f'''
# ---- training ----

@torch.no_grad()
def evaluate(side):
    """Loss and score of a side, with everything in eval()."""
    items, y = sides[side]
    model.eval()
    logits = torch.cat([logits_of(items, some) for some in torch.arange(len(y)).split(64)])
    return loss_of(logits, y).item(), score_of(logits, y)


print(f"initial loss {{evaluate('train')[0]:.6f}}")
items, targets = sides["train"]
optimizer, step = optimizer_of(TRAINED), 0{sources}
{_before(asked)}for epoch in range(EPOCHS):
    set_learning(TRAINED, epoch)
    total, order = 0.0, batches(items, epoch)
    for some in order:
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * {NAMES[config.schedule]}(step, EPOCHS * len(order))
        torch.manual_seed(SEED * 1_000_003 + step)  # for dropout
        loss = {trained_by}(logits_of(items, some{_training(asked)}), targets[some])
        total += loss.item() * len(some){pull}
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
{_after(asked, LINES[key].better)}

{_restored(asked)}{merged}
loss, score = evaluate("{judged}")
print(f"{judged}: loss {{loss:.6f}}, {asked.objective.metric_label.lower()} {{score:.6f}}")
torch.save(model.state_dict(), "trained.pt")
''', *(("copy", "math") if "val" in asked.sides else ()))


def _training(asked: Asked) -> str:
    return ", training=True" if asked.config.augmentation.active and asked.row.task == "image" else ""


def _before(asked: Asked) -> str:
    if "val" not in asked.sides:
        return ""
    counted = ", waited" if asked.config.patience else ""
    return f"best, kept{counted} = (-math.inf,), {{}}{', 0' if counted else ''}\n"


def _after(asked: Asked, better: str) -> str:
    if "val" not in asked.sides:
        return "    print(f\"epoch {epoch + 1}: training loss {total / len(targets):.4f}\")"
    text = f'''    loss, score = evaluate("val")
    print(f"epoch {{epoch + 1}}: training loss {{total / len(targets):.4f}}, "
          f"validation loss {{loss:.4f}}, score {{score:.4f}}")
    if ({better}, -loss) > best:  # the best epoch is kept
        best, kept = ({better}, -loss), copy.deepcopy(model.state_dict())'''
    if not asked.config.patience:
        return text
    patient = max((block.from_epoch for block in asked.plan.blocks if block.state != "frozen" and block.from_epoch < asked.config.epochs), default=0)
    patient = 0 if asked.config.method == "contrastive" else patient
    return text.replace("copy.deepcopy(model.state_dict())", "copy.deepcopy(model.state_dict())\n        waited = 0") + f'''
    elif epoch >= {patient}:  # patience is counted once all that is to train does
        waited += 1
        if waited == {asked.config.patience}:
            break'''


def _restored(asked: Asked) -> str:
    return "model.load_state_dict(kept)" if "val" in asked.sides else "# Nothing was held back for validation, so the last epoch is kept."
