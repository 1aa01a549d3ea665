"""A linear head that learns alone, in a script: fitted to all items at once, as `core.training.full_batch` does it. Torch-free."""
from __future__ import annotations

from core.code.asked import Asked, Part, part, scaled
from core.code.loop import said_at_the_end, weights_of_labels
from core.code.objectives import lines_of, plain_loss, training_loss
from core.training.fits import CHANGE, GRADIENT, MOST_ROUNDS, STRENGTHS, USUAL, WORSE


def features(asked: Asked, last: str) -> Part:
    """What is given to the last layer, and what that says of it. `last`: what the script calls that layer."""
    score = "\n    ".join(lines_of(asked).score)
    training = (", training=False", ", training") if asked.augments else ("", "")
    return part(f'''
# ---- what learns: the last layer, fitted to all items at once ----

@torch.no_grad()
def features(side{training[0]}):
    """What the network gives to its last layer, which never changes: it is computed once."""
    model.eval()
    (items, y), given = sides[side], []
    hook = {last}.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    for some in torch.arange(len(y)).split(64):
        logits_of(items, some{training[1]})
    hook.remove()
    return torch.cat(given)


@torch.no_grad()
def evaluate(side):
    """Loss and score ({asked.objective.metric_label.lower()}) of a side."""
    logits, y = {scaled(asked, f"{last}(given[side])")}, sides[side][1]
    {score}
    return {plain_loss(asked)}.item(), score.item()


given = {{side: features(side) for side in sides}}
print(f"initial loss {{evaluate('train')[0]:.6f}}")
''', "F")


def fits(asked: Asked, last: str) -> Part:
    """One fit after the other, each free to use larger weights than the one before; the validation items choose among them."""
    x, validated = 'given["train"]', "val" in asked.sizes
    changed = ""
    if asked.augments:
        x, changed = "x", f'''x = torch.cat([features("train", training=True) for _ in range({asked.views})])
targets = torch.cat([targets] * {asked.views})
'''
    said, ended, copied = _judged(asked, last) if validated else ('    print(f"training loss {evaluate(\'train\')[0]:.4f}")', "", ())
    return part(f'''
{weights_of_labels(asked)}{changed}std, mean = torch.std_mean({x}, 0, correction=0)
std[std <= 1e-6 * std.max()] = 1.0
x = ({x} - mean) / std
weight, bias = torch.zeros_like({last}.weight), torch.zeros_like({last}.bias)
{'best, waited = (float("-inf"),), 0' if validated else ""}
for pull in {STRENGTHS if validated else (USUAL,)!r}:  # of the weights towards zero
    solver = torch.optim.LBFGS(
        [weight.requires_grad_(), bias.requires_grad_()], max_iter={MOST_ROUNDS},
        tolerance_grad={GRADIENT!r}, tolerance_change={CHANGE!r}, line_search_fn="strong_wolfe")

    def error():
        solver.zero_grad()
        logits, y = {scaled(asked, "F.linear(x, weight, bias)")}, targets
        loss = {training_loss(asked)}
        loss = loss + pull / 2 * weight.square().sum()
        loss.backward()
        return loss

    solver.step(error)
    with torch.no_grad():  # for what enters the layer as it is
        {last}.weight.copy_(weight / std)
        {last}.bias.copy_(bias - {last}.weight @ mean)
{said}
{ended}
{said_at_the_end(asked)}
'''.replace("\n\nfor pull", "\nfor pull"), "F", *copied)


def _judged(asked: Asked, last: str) -> tuple[str, str, tuple[str, ...]]:
    return f'''    loss, score = evaluate("val")
    print(f"pull {{pull}}: training loss {{evaluate('train')[0]:.4f}}, "
          f"validation loss {{loss:.4f}}, score {{score:.4f}}")
    if ({lines_of(asked).better}, -loss) > best:
        best, kept, waited = ({lines_of(asked).better}, -loss), copy.deepcopy({last}.state_dict()), 0
    elif (waited := waited + 1) == {WORSE}:
        break
''', f"{last}.load_state_dict(kept)", ("copy",)
