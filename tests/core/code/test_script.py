"""Scripts for every model and plan: whole Python, narrow lines, and nothing that a name could break out of."""
from __future__ import annotations

import ast
from dataclasses import replace
from typing import get_args

import pytest

from core.code import at_once, blocks
from core.code.asked import Asked
from core.code.script import PARTS, script
from core.errors import ModelError
from core.models.answers import Answers
from core.models.catalog import CATALOG, find
from core.models.heads import poolings
from core.models.rows import Adapter, ModelRow
from core.objectives import OBJECTIVES, objective
from core.preprocess import of_input
from core.specs import Augmentation, FreezePlan, HeadPlan, TrainConfig
from core.text_preprocess import TextPreprocess
from core.training import full_batch
from core.training.presets import PRESETS, anchored, plan_for, preset_config, preset_plan
from tests.pages.prepared import HOSTILE

LONGEST = {"words": 190}
"""Lines that the first two presets may take, by adapter; 160 for the others. Networks of words show how letters are counted, too."""
HEADS = (HeadPlan("mlp", "own", 64, 0.3), HeadPlan("linear", "flatten"), HeadPlan("mlp", "max"), HeadPlan("linear", "average"), HeadPlan("mlp", "mean"))
ESCAPES = (*HOSTILE, '"""\nimport os\n"""', "'); import os; ('", "\\", "\u202ereversed", "a\r\n# b", "{evaluate}")


def asked(row: ModelRow, plan: FreezePlan, config: TrainConfig, key: str = "single_label", labels: tuple[str, ...] = ("a", "b"),
          sides: tuple[str, ...] = ("train", "val", "test"), pretrained: bool = True, n_train: int = 60) -> Asked:
    wanted = objective(key)
    answers = Answers(wanted.outputs(len(labels)), *((2.5, 1.5) if wanted.numeric else ()), head=plan.head, side=config.input_size)
    how = of_input(row.input, config.input_size) if row.task == "image" else TextPreprocess(
        "t.json", 64, config.long_texts, (101,) * (row.adapter != "words"), (102,) * (row.adapter != "words"), ngram_buckets=row.input.ngram_buckets)
    return Asked(row, plan, config, answers, labels, wanted, {side: n_train for side in sides}, how, blocks.modules_of(row, answers), pretrained)


def whole(text: str) -> ast.Module:
    """The script as Python reads it; every name that it calls upon is made or imported before."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    imported = {alias.asname or alias.name.split(".")[0] for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names}
    named = [node for node in nodes if isinstance(node, ast.Name)]
    made = {node.id for node in named if isinstance(node.ctx, ast.Store)} | {node.arg for node in nodes if isinstance(node, ast.arg)}
    made |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    used = {node.id for node in named}
    assert used - made - imported <= set(dir(__builtins__)) | set(__builtins__ if isinstance(__builtins__, dict) else ()), "a name is missing"
    assert imported <= used, "an import is not used"
    return tree


@pytest.mark.parametrize("row", CATALOG.values(), ids=lambda row: row.key)
def test_every_model_and_plan_has_a_whole_script(row: ModelRow) -> None:
    presets = [(preset_plan(row, key), preset_config(row, key)) for key in (*PRESETS, "few")]
    kinds = ["last-stage"] + ["lora"] * any(block.lora_unit for block in row.blocks)
    plans = [(plan_for(row, kind, head_first_epochs=1, lr_scale=0.1), TrainConfig("custom", optimizer="rmsprop", schedule="step")) for kind in kinds]
    heads = [(replace(plan_for(row, "head"), head=head), TrainConfig("custom", schedule="constant", optimizer="adam"))
             for head in HEADS if head.pooling in poolings(row)]
    for plan, config in (*presets, *plans, *heads):
        lines = script(asked(row, plan, config)).splitlines()
        whole("\n".join(lines))
        assert max(map(len, lines)) <= 100 and len(lines) < 230
        if config.preset in ("instant", "balanced"):
            assert len(lines) <= LONGEST.get(row.adapter, 160)


def test_a_head_alone_is_fitted_at_once_as_the_app_does_it() -> None:
    assert (at_once.STRENGTHS, at_once.USUAL, at_once.MOST_ROUNDS, at_once.GRADIENT, at_once.CHANGE, at_once.WORSE) == (
        full_batch.STRENGTHS, full_batch.USUAL, full_batch.MOST_ROUNDS, full_batch.GRADIENT, full_batch.CHANGE, full_batch.WORSE)
    row = find("resnet18")
    for key in OBJECTIVES:
        for sides in (("train",), ("train", "val", "test")):
            for settings in ({}, {"class_weights": True, "label_smoothing": 0.1, "augmentation": Augmentation(flip=True)}):
                labels, config = ("a",) if key == "regression" else ("a", "b"), TrainConfig(optimizer="lbfgs", **settings)
                text = script(asked(row, plan_for(row, "head"), config, key, labels, sides))
                whole(text)
                assert "LBFGS" in text and "EPOCHS" not in text and max(map(len, text.splitlines())) <= 100
    changed = TrainConfig(optimizer="lbfgs", augmentation=Augmentation(flip=True), epochs=4)  # fewer epochs than variants that would be stored
    for plan, config in ((plan_for(row, "all"), TrainConfig(optimizer="lbfgs")), (plan_for(row, "head"), changed)):
        text = script(asked(row, plan, config))
        whole(text)
        assert "AdamW" in text and "LBFGS" not in text


@pytest.mark.parametrize("key", OBJECTIVES)
@pytest.mark.parametrize("sides", [("train",), ("train", "val"), ("train", "val", "test")], ids=len)
def test_every_objective_and_every_split_has_one(key: str, sides: tuple[str, ...]) -> None:
    row = find("graft-resnet10")
    plan = replace(anchored(row, plan_for(row, "all"), 0.1), batch_norm="keep")
    for config in (TrainConfig(), TrainConfig(label_smoothing=0.1, patience=2), TrainConfig(class_weights=True, optimizer="sgd"),
                   TrainConfig(augmentation=Augmentation(True, 10, 0.1, 5, 0.2, 0.3, "white"), label_smoothing=0.1, class_weights=True)):
        whole(script(asked(row, plan, config, key, ("a", "b") if not objective(key).numeric else ("kg",), sides)))


@pytest.mark.parametrize("key", ["graft-resnet10", "minilm"])
def test_names_stay_text(key: str) -> None:
    row = replace(find(key), title=ESCAPES[5], repo=find(key).repo and ESCAPES[5])
    plain = script(asked(find(key), plan_for(row, "head"), TrainConfig(), labels=("x",) * len(ESCAPES)))
    tree = whole(hostile := script(asked(row, plan_for(row, "head"), TrainConfig(), labels=ESCAPES)))
    labels = next(node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "LABELS")
    assert ast.literal_eval(labels) == ESCAPES

    def shape(text: str) -> list[str]:
        return [type(node).__name__ for node in ast.walk(ast.parse(text))]
    assert shape(hostile) == shape(plain), "the same program, whatever things are called"
    assert hostile.isprintable() or all(line.isprintable() for line in hostile.splitlines()), "nothing reorders or hides letters"


def test_many_labels_fill_lines() -> None:
    text = script(asked(find("resnet18"), plan_for(find("resnet18"), "head"), TrainConfig(), labels=tuple(f"kind {i}" for i in range(500))))
    assert max(map(len, text.splitlines())) <= 100 and len(text.splitlines()) < 250


@pytest.mark.parametrize("key", ["resnet18", "minilm", "graft-words"])
def test_what_a_plan_does_not_use_is_left_out(key: str) -> None:
    row = find(key)
    plain = script(asked(row, plan_for(row, "head"), TrainConfig(schedule="constant"), sides=("train",)))
    for word in ("lora", "share", "since", "epoch >=", "waited", "pull", "SMOOTHING", "CLASS_WEIGHTS", "cosine", "best", "running_mean", "augment",
                 "[-2:]", "SCALE", "SetFit", "windows"):
        assert word not in plain, word
    assert "[-2:] = [torch.cat" in script(asked(row, plan_for(row, "head"), TrainConfig(batch_size=16), n_train=33)), "no batch is of one item"


def test_photos_of_phones_are_opened_by_their_library() -> None:
    row = find("resnet18")
    plain = asked(row, plan_for(row, "head"), TrainConfig())
    assert "pi_heif" not in script(plain)
    text = script(replace(plain, heic=True))
    whole(text)
    assert "pi_heif.register_heif_opener()" in text and " pi-heif " in text


def test_a_model_that_was_added_before_its_modules_were_kept_has_none() -> None:
    row = replace(find("hf-deit-tiny"), key="hf:deit", blocks=tuple(replace(block, modules=()) for block in find("hf-deit-tiny").blocks))
    with pytest.raises(ModelError, match="There is no script"):
        blocks.modules_of(row, Answers(2))


def test_scripts_are_the_same_again() -> None:
    row = find("vit_b_16")
    assert len({script(asked(row, plan_for(row, "lora"), TrainConfig())) for _ in range(3)}) == 1
    assert set(PARTS) == set(get_args(Adapter)), "there is one for every model"
