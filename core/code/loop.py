"""The training itself in a script: epochs, the best one, and what is said about it at the end. Torch-free."""
from __future__ import annotations

from core.code.asked import Asked, Part, part
from core.code.learning import columns_of, scheduled, steps, tables_that_learn, unpacked
from core.code.lora import merged
from core.code.objectives import lines_of, plain_loss, training_loss
from core.specs import SplitName


def judging(asked: Asked) -> Part:
    """The function `evaluate`, and what it says before anything is learned."""
    score = "\n    ".join(lines_of(asked).score)
    return part(f'''
# ---- training ----

@torch.no_grad()
def evaluate(side):
    """Loss and score ({asked.objective.metric_label.lower()}) of a side, with everything in eval()."""
    items, y = sides[side]
    model.eval()
    logits = torch.cat([logits_of(items, some) for some in torch.arange(len(y)).split(64)])
    {score}
    return {plain_loss(asked)}.item(), score.item()


print(f"initial loss {{evaluate('train')[0]:.6f}}")
''', "F")


def loop(asked: Asked) -> Part:
    return part(f'''
{_before(asked)}for epoch in range(EPOCHS):
    set_learning({_learns(asked)})
    total = 0.0
    for some in batches(epoch):
        torch.manual_seed(SEED * 1_000_003 + step)  # for all that is random in training
        logits, y = logits_of(items, some{", training=True" if asked.augments or asked.row.adapter == "words" else ""}), targets[some]
        loss = {training_loss(asked)}
        total += loss.item() * len(some)
{_pull(asked)}        model.zero_grad()
        loss.backward()
{_stepped(asked)}        step += 1
{_after(asked)}
{_restored(asked)}{merged() if asked.adapted else ""}{said_at_the_end(asked)}
''', "F", *(("copy",) if "val" in asked.sizes else ()))


def said_at_the_end(asked: Asked) -> str:
    """Lines that judge what was learned, and keep it."""
    judged: SplitName = next(side for side in ("test", "val", "train") if asked.sizes.get(side))
    return f'''loss, score = evaluate("{judged}")
print(f"{judged}: loss {{loss:.6f}}, {asked.objective.metric_label.lower()} {{score:.6f}}")
torch.save(model.state_dict(), "trained.pt")'''


def weights_of_labels(asked: Asked) -> str:
    return f"# So that rare labels matter as much as common ones:\nCLASS_WEIGHTS = {lines_of(asked).weights}\n" if asked.weighs else ""


def _learns(asked: Asked) -> str:
    return "TRAINED" if asked.in_pairs else "epoch" if "since" in columns_of(asked) else ""


def _before(asked: Asked) -> str:
    lines = [weights_of_labels(asked).strip()] if asked.weighs else []
    if asked.in_pairs:
        schedule = f"\nschedule = {scheduled(asked)}" if scheduled(asked) else ""
        lines.append(f"# ---- then the head learns ----\n\n{steps(asked)}optimizer = optimizer_of(TRAINED){schedule}")
    if asked.pulls:
        free = "".join(f" and name != {f'{table}.weight'!r}" for table in tables_that_learn(asked))
        lines.append(f'''sources = [(p, p.detach().clone(), pull)  # where weights began that are pulled back (L2-SP, arXiv:1802.01483)
           for {unpacked(columns_of(asked), {"pull"})} in TRAINED if pull
           for name, p in model.named_parameters() if f"{{name}}.".startswith(paths){_own_weights(asked)}{free}]''')
    counted = {"step": "0"}
    if "val" in asked.sizes:
        counted |= {"best": '(float("-inf"),)'} | ({"waited": "0"} if asked.config.patience else {})
    lines.append(f"{', '.join(counted)} = {', '.join(counted.values())}")
    return "\n".join(lines) + "\n"


def _own_weights(asked: Asked) -> str:
    return ' and not f"{name}.".startswith(LORA)' if asked.adapted else ""


def _pull(asked: Asked) -> str:
    return '''        for p, source, pull in sources:
            if p.requires_grad:
                loss = loss + pull / 2 * (p - source).square().sum()
''' if asked.pulls else ""


def _stepped(asked: Asked) -> str:
    if tables_that_learn(asked):
        parts = "(*optimizers, *schedules)" if scheduled(asked) else "optimizers"
        return f"        for one in {parts}:\n            one.step()\n"
    return "        optimizer.step()\n" + ("        schedule.step()\n" if scheduled(asked) else "")


def _after(asked: Asked) -> str:
    if "val" not in asked.sizes:
        return '    print(f"epoch {epoch + 1}: training loss {total / len(targets):.4f}")\n'
    better, patience = lines_of(asked).better, asked.config.patience
    kept = f'''    if ({better}, -loss) > best:  # the best epoch is kept
        best, kept = ({better}, -loss), copy.deepcopy(model.state_dict())
'''
    waited = f'''        waited = 0
    elif {_counts(asked)}(waited := waited + 1) == {patience}:
        break
''' if patience else ""
    return f'''    loss, score = evaluate("val")
    print(f"epoch {{epoch + 1}}: training loss {{total / len(targets):.4f}}, "
          f"validation loss {{loss:.4f}}, score {{score:.4f}}")
{kept}{waited}'''


def _counts(asked: Asked) -> str:
    """The condition under which an epoch without gain counts: once all that is to train does."""
    joining = [block.from_epoch for block in asked.plan.blocks if block.state != "frozen" and block.from_epoch < asked.config.epochs]
    first = 0 if asked.in_pairs else max(joining, default=0)
    return f"epoch >= {first} and " if first else ""


def _restored(asked: Asked) -> str:
    return "model.load_state_dict(kept)\n" if "val" in asked.sizes else "# Nothing was held back for validation, so the last epoch is kept.\n"
