"""What the browser writes on the freeze map; it fills the {placeholders} itself, since its figures change with every click."""
from __future__ import annotations

from pages.ui.i18n import _


def texts() -> dict[str, str]:
    return _controls() | _details() | _figures() | _sentences()


def _controls() -> dict[str, str]:
    return {
        "map": _("Freeze map"), "presets": _("What may change"), "undo": _("Undo"),
        "head": _("Head only"), "last": _("Last stage"), "all": _("Everything"), "adapters": _("Adapters"),
        "brush": _("A click lets a block learn"), "fully": _("fully"), "adapter": _("by an adapter"),
        "input": _("input"), "output": _("answer"), "once": _("computed once"), "each": _("every epoch"),
        "frozen": _("frozen"), "trained": _("trains"), "lora": _("thin adapter"), "part": _("part trains"), "mixed": _("mixed"),
        "locked": _("The head is new: it always trains."), "bare": _("This part has no layer beside which a thin adapter could stand."),
        "row": _("{name}: {a} parameters, {state}"), "open": _("Show the blocks of {name}"), "close": _("Hide the blocks of {name}"),
        "knob": _("Frozen boundary"), "knob_at": _("{a} of {b} blocks frozen"),
        "hint": _("Click or Space: freeze or train. Shift: a range. Drag the knob to move the boundary."),
        "letters": _("Letters: F frozen, T trains, L thin adapter."), "opens": _("Small arrow or right arrow key: the blocks inside."),
        "key_length": _("length: parameters, the numbers that can learn"), "key_thickness": _("thickness: work per item"),
        "key_when": _("thin line: epochs in which it trains"),
        "key_moved": _("colour and thin line: how far the weights moved, from 0.01 % to 100 % of their size, each step ten times as far"),
    }


def _details() -> dict[str, str]:
    return {
        "details": _("When and how fast each part learns"), "when": _("When"), "speed": _("How fast"),
        "gradually": _("Gradually"), "gradually_why": _("The head first, then one part after the other towards the input, all within the first half "
                                                       "of the run (Howard and Ruder 2018)."),
        "together": _("All from the start"), "together_why": _("Every part that learns does so from the first epoch."),
        "behind": _("Discriminative rates"), "behind_why": _("Each part learns 2.6 times slower than the one behind it "
                                                                "(Howard and Ruder 2018)."),
        "even": _("All alike"), "even_why": _("Every pretrained part learns as fast as the last one."),
        "nothing_to_set": _("Only the head learns: choose first what else may change."),
        "joins": _("{name}: the epoch in which it joins"), "joins_at": _("joins in epoch {e} of {n}"),
        "joins_never": _("joins after the last epoch: never"),
        "rate": _("{name}: share of the learning rate"), "times": _("× {n}"),
        "pull": _("{name}: pull back to what it knew (L2-SP)"), "pulled": _("pull {n}"), "free": _("no pull"),
    }


def _figures() -> dict[str, str]:
    return {
        "trains": _("What trains"), "trains_of": _("{a} of {b} parameters"),
        "epoch": _("Each epoch"), "epoch_of": _("Epoch of {n} items"), "fit_of": _("Fit to {n} items"), "versus": _("{a} if everything trained"),
        "unmeasured": _("not yet measured on this machine"), "guessed": _("a guess until it is measured here"),
        "paid": _("Paid for once"), "paid_of": _("{a} of {b} blocks, {p} of the work"), "unpaid": _("no frozen part to store"),
        "paid_early": _("for the first epochs only"), "unstored": _("computed again in every epoch"),
        "views": _("{v} variants of each item, which take turns"), "kept": _("{a} on the disk"),
        "paired": _("comparing {n} pairs; then the head alone learns"),
        "memory": _("Peak memory"),
        "epoch_took": _("A mean epoch took"), "paid_took": _("What is done once took"), "memory_took": _("Peak memory was"),
        "more": _("predicted {a}: it was {p} more"), "less": _("predicted {a}: it was {p} less"), "just": _("predicted {a}: just so"),
        "guess": _("the prediction was a guess"),
        "percent": _("{n} %"), "s": _("{n} s"), "min": _("{n} min"), "h": _("{n} h"),
        "probe_of": _("A simple probe on what comes out of {name}"),
        "moved": _("moved {p}"), "unmoved": _("did not move"), "fresh": _("new"),
    }


def _sentences() -> dict[str, str]:
    return {
        "say_head": _("Fastest and safest. The model keeps all it knows and only learns your labels."),
        "say_some": _("The last blocks adapt to your items, the early ones keep what they know. "
                      "Takes longer and wants more items than head only."),
        "say_all": _("Everything may change. Strongest with much data, slowest, and easiest to overfit."),
        "say_lora": _("What the network knows rests; thin adapters beside it learn. More than head only, and harder to overfit than everything."),
        "say_gap": _("A frozen block behind a trained one can't be stored: it is computed again in every epoch."),
        "say_late": _("A part joins only after the last epoch: it would never learn. Let it join earlier, or freeze it."),
        "say_none": _("Nothing would learn: train a block"),
    }
