"""Runs beside one another: what differs in their settings, and which of them is surely better."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.versions import Item, Version, create_dataset
from core.errors import NotFound
from core.evaluation.compare import LEAST, UNUSED, Contender, Difference, differences, learned_from, luck
from core.evaluation.judge import evaluate
from core.evaluation.report import Report
from core.models.from_runs import key_of
from core.objectives import OBJECTIVES
from core.specs import Augmentation, BlockPlan, DataSpec, FreezePlan, HeadPlan, ModelSpec, RunSpec, TrainConfig, to_json
from core.workspace import Workspace, write_atomic

PLAN = FreezePlan((BlockPlan("stem", "frozen"), BlockPlan("stage 1", "frozen"), BlockPlan("head", "trained")))
RUN = RunSpec("runone", "pets-1", "me", 0.0, DataSpec("pets", "v1"), ModelSpec("graft-resnet10"), PLAN, TrainConfig())


def changed(**config: Any) -> RunSpec:
    return replace(RUN, config=replace(RUN.config, **config))


def planned(*blocks: BlockPlan, **plan: Any) -> RunSpec:
    return replace(RUN, plan=replace(PLAN, blocks=blocks or PLAN.blocks, **plan))


def keys(*runs: RunSpec, at_once: Sequence[bool] = ()) -> list[str]:
    return [row.key for row in differences(runs, at_once)]


class TestDifferences:
    def test_names_id_and_time_are_no_settings(self) -> None:
        assert differences([RUN, replace(RUN, id="runtwo", name="pets-2", created=9.0)]) == []

    def test_values_stand_in_the_order_of_the_runs(self) -> None:
        assert differences([changed(seed=2), RUN, changed(seed=1)]) == [Difference("seed", (2, 0, 1))]

    def test_what_is_asked_is_one_of_them(self) -> None:
        assert keys(RUN, replace(RUN, data=replace(RUN.data, objective="binary"))) == ["data", "objective"]

    def test_the_broadest_come_first(self) -> None:
        other = replace(changed(seed=1, preset="custom"), data=DataSpec("pets", "v2"), model=ModelSpec("resnet18"))
        assert keys(RUN, other) == ["data", "model", "preset", "seed"]

    @pytest.mark.parametrize("field", [field.name for field in fields(TrainConfig) if field.name != "augmentation"])
    def test_every_setting_of_a_training_is_seen(self, field: str) -> None:
        """In a run that makes use of all of them."""
        adapters = (*PLAN.blocks[:1], BlockPlan("stage 1", "lora"), *PLAN.blocks[2:])
        text = field in ("max_tokens", "long_texts")
        data = replace(RUN.data, task="text" if text else "image")
        base = replace(planned(*adapters), data=data, config=replace(RUN.config, optimizer="sgd"))
        other = {"preset": "few", "optimizer": "rmsprop", "schedule": "step", "long_texts": "ends", "method": "contrastive",
                 "precision": "bf16", "label_smoothing": 0.1, "momentum": 0.5, "input_size": 96, "max_tokens": 99}
        value = getattr(base.config, field)
        value = other[field] if field in other else not value if isinstance(value, bool) else value * 2 or 1
        assert keys(base, replace(base, config=replace(base.config, **{field: value}))) == [field]

    @pytest.mark.parametrize("field", [field.name for field in fields(Augmentation)])
    def test_every_augmentation_is_seen(self, field: str) -> None:
        base = Augmentation(flip=True, shift=0.1)
        value = {"flip": False, "fill": "black"}.get(field, 0.25)
        assert keys(changed(augmentation=base), changed(augmentation=replace(base, **{field: value}))) == [f"augmentation.{field}"]

    @pytest.mark.parametrize(("head", "expected"), [
        ({"kind": "linear"}, "head.kind"), ({"pooling": "max"}, "head.pooling"), ({"width": 64}, "head.width"),
        ({"dropout": 0.1}, "head.dropout")])
    def test_the_head_is_seen(self, head: dict[str, Any], expected: str) -> None:
        base = HeadPlan("mlp")
        assert keys(planned(head=base), planned(head=replace(base, **head))) == [expected]

    def test_what_trains_is_seen_with_its_own_rate_start_and_pull(self) -> None:
        last = planned(*PLAN.blocks[:1], BlockPlan("stage 1", "trained", 0.1, 3, 0.01), PLAN.blocks[2])
        assert differences([RUN, last]) == [
            Difference("trains", ((("head", "trained"),), (("stage 1", "trained"), ("head", "trained")))),
            Difference("from_epoch", ((), (("stage 1", 3),))), Difference("lr_scale", ((), (("stage 1", 0.1),))),
            Difference("anchor", ((), (("stage 1", 0.01),)))]
        assert keys(RUN, planned(batch_norm="keep")) == ["batch_norm"]

    def test_what_a_run_makes_no_use_of_is_no_difference(self) -> None:
        assert keys(changed(momentum=0.5), RUN) == [] == keys(changed(lora_rank=2), RUN) == keys(planned(head=HeadPlan(width=9)), RUN)
        assert keys(changed(max_tokens=9, long_texts="ends"), RUN) == [] == keys(changed(augmentation=Augmentation(fill="black")), RUN)
        number = replace(RUN, data=replace(RUN.data, objective="regression"))
        assert keys(number, replace(number, config=replace(RUN.config, label_smoothing=0.1, class_weights=True))) == []

    def test_it_stands_beside_those_that_do(self) -> None:
        runs = changed(optimizer="sgd", momentum=0.5), changed(optimizer="sgd"), RUN
        assert differences(runs)[-1] == Difference("momentum", (0.5, 0.9, UNUSED))

    def test_a_head_that_is_fitted_at_once_has_no_epochs(self) -> None:
        fitted, trained = changed(optimizer="lbfgs", epochs=40, first_model=False), changed(epochs=12, patience=5)
        assert keys(fitted, trained, at_once=[True, False]) == ["optimizer"]
        assert keys(fitted, trained) == ["epochs", "optimizer", "patience"]

    @given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from([1e-3, 1e-2]), st.booleans()), min_size=2, max_size=6))
    def test_a_row_for_each_setting_that_differs_and_for_no_other(self, made: list[tuple[int, float, bool]]) -> None:
        rows = differences([changed(epochs=epochs, learning_rate=rate, class_weights=weights) for epochs, rate, weights in made])
        columns = dict(zip(("epochs", "learning_rate", "class_weights"), zip(*made)))
        assert {row.key: row.values for row in rows} == {key: values for key, values in columns.items() if len(set(values)) > 1}


def sha(i: int) -> str:
    return f"{i:064x}"


def report(wrong: Sequence[int], n: int = 60, *, labels: tuple[str, ...] = ("cat", "dog", "hen"), first: int = 0, **more: Any) -> Report:
    """Items `first` and on, of which those at these places are taken for others."""
    truths = [(first + i) % len(labels) for i in range(n)]
    said = [(truth + (i in wrong)) % len(labels) for i, truth in enumerate(truths)]
    return evaluate(np.eye(len(labels))[said].tolist(), truths, labels, shas=[sha(first + i) for i in range(n)], **more)


def runs(*reports: Report) -> list[Contender]:
    return [Contender(one) for one in reports]


class TestLuck:
    def test_the_better_one_is_named_with_what_it_is_better_by(self) -> None:
        [verdict] = luck(runs(report(range(20)), report(range(2))))
        assert (verdict.better, verdict.other, verdict.n, verdict.learned, verdict.refusal) == (1, 0, 60, 0, None)
        assert verdict.gain == pytest.approx(0.3) and 0.15 < verdict.low < 0.3 < verdict.high < 0.45 and verdict.surely

    def test_a_small_difference_could_be_luck(self) -> None:
        [verdict] = luck(runs(report(range(4)), report(range(2))))
        assert verdict.better == 1 and not verdict.surely and verdict.low <= 0 < verdict.high

    def test_two_that_answer_alike_are_never_surely_anything(self) -> None:
        [verdict] = luck(runs(report(range(9)), report(range(9))))
        assert (verdict.gain, verdict.low, verdict.high, verdict.p, verdict.surely) == (0, 0, 0, 1, False)

    @pytest.mark.parametrize("asked", list(OBJECTIVES))
    def test_the_difference_is_that_of_the_scores_in_their_own_unit(self, asked: str) -> None:
        random = np.random.default_rng(4)
        marks = random.random((80, 3)) < 0.4
        truths: Any = {"multi_label": marks.astype(int), "regression": random.normal(50, 9, 80)}.get(asked, marks[:, 0].astype(int))
        labels = {"multi_label": ("a", "b", "c"), "regression": ("kg",)}.get(asked, ("no", "yes"))

        def judged(noise: float) -> Report:
            if asked == "regression":
                said = (truths + random.normal(0, 9 * noise, 80))[:, None]
            elif asked == "multi_label":
                said = np.clip(marks * 0.6 + random.random((80, 3)) * noise, 0, 1)
            else:
                yes = np.clip(marks[:, 0] * 0.6 + random.random(80) * noise, 0, 1)
                said = np.stack([1 - yes, yes], 1)
            return evaluate(said.tolist(), truths.tolist(), labels, shas=[sha(i) for i in range(80)], objective_key=asked)
        good, bad = judged(0.55), judged(1.0)
        [verdict] = luck(runs(bad, good))
        assert verdict.better == 1 and verdict.gain == pytest.approx(abs(good.score - bad.score))
        assert verdict.low < verdict.gain < verdict.high

    def test_only_items_that_both_answered_count(self) -> None:
        [verdict] = luck(runs(report((), 40), report(range(20), 40, first=20)))
        assert verdict.n == 20 and verdict.better == 0 and verdict.gain == 1

    def test_an_item_that_is_labeled_anew_is_another_one(self) -> None:
        one, other = report(()), report(())
        relabeled = tuple(replace(item, truth=(item.truth + 1) % 3) for item in other.predictions[:7])  # type: ignore[operator]
        assert luck(runs(one, replace(other, predictions=(*relabeled, *other.predictions[7:]))))[0].n == 53

    def test_an_item_that_stands_there_twice_counts_once(self) -> None:
        one = report(range(5))
        [verdict] = luck(runs(replace(one, predictions=one.predictions * 2), report(())))
        assert (verdict.n, verdict.gain) == (60, pytest.approx(5 / 60))

    def test_items_without_a_name_of_their_own_are_not_found_again(self) -> None:
        nameless = evaluate(np.eye(3)[[0, 1, 2] * 20].tolist(), [0, 1, 2] * 20, ("cat", "dog", "hen"))
        assert luck(runs(nameless, nameless))[0].refusal == "few"

    @pytest.mark.parametrize(("other", "refusal"), [
        (report((), labels=("no", "yes"), objective_key="binary"), "objective"), (report((), labels=("cat", "cow", "dog")), "labels"),
        (report((), unit="kg"), "labels"), (report((), split="val"), "sides"), (report((), first=60 - LEAST + 1), "few"),
        (report((), first=60 - LEAST), None)])
    def test_what_cannot_be_compared_is_refused_with_the_reason(self, other: Report, refusal: str | None) -> None:
        [verdict] = luck(runs(report(range(30)), other))
        assert verdict.refusal == refusal and not (refusal and verdict.surely)

    def test_items_that_one_has_learned_from_are_left_out_and_counted(self) -> None:
        """A run on another split: some of what it is asked, the other has learned by heart."""
        heart = Contender(report(()), frozenset(sha(i) for i in range(15, 200)))
        [verdict] = luck([Contender(report(range(15))), heart])
        assert (verdict.n, verdict.learned, verdict.gain) == (15, 45, 1.0)
        [refused] = luck([Contender(report(range(15))), replace(heart, learned=heart.learned | {sha(i) for i in range(9)})])
        assert (refused.refusal, refused.n, refused.learned) == ("few", 6, 54)

    def test_where_nobody_knows_what_one_has_learned_from_it_is_not_compared(self) -> None:
        assert luck([Contender(report(range(15))), Contender(report(()), None)])[0].refusal == "unknown"

    def test_items_that_only_one_was_asked_and_the_other_learned_are_counted_too(self) -> None:
        [verdict] = luck([Contender(report((), 40)), Contender(report((), 20), frozenset(map(sha, range(20, 40))))])
        assert (verdict.n, verdict.learned) == (20, 20)

    def test_of_many_each_must_be_clearer_and_its_range_wider(self) -> None:
        """Seven of seven differ one way, p = 0.016: surely, of two; among four runs there are six such comparisons."""
        two = luck(runs(report(range(7)), report(())))[0]
        four = luck(runs(report(range(7)), report(()), report(()), report(())))
        pair = next(verdict for verdict in four if (verdict.better, verdict.other) == (1, 0))
        assert two.surely and not pair.surely and len(four) == 6
        assert pair.p > two.p and pair.low < two.low < two.gain == pair.gain < two.high < pair.high

    def test_a_refused_pair_makes_no_other_less_sure(self) -> None:
        two = luck(runs(report(range(7)), report(())))[0]
        three = luck(runs(report(range(7)), report(()), report((), split="val")))
        assert [verdict.refusal for verdict in three] == [None, "sides", "sides"] and three[0].p == two.p

    def test_among_runs_that_are_alike_hardly_ever_is_any_surely_better(self) -> None:
        """Five runs, ten pairs: one at a time, nearly one in five of such sets would show a difference."""
        random, found = np.random.default_rng(11), 0
        for _ in range(120):
            found += any(verdict.surely for verdict in luck(runs(*(report(np.flatnonzero(random.random(60) < 0.3)) for _ in range(5)))))
        assert found / 120 <= 0.11, "5 % and three times what 120 tries may add"

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.sets(st.integers(0, 29)), min_size=2, max_size=4))
    def test_the_better_one_has_fewer_mistakes_and_its_range_holds_the_difference(self, wrong: list[set[int]]) -> None:
        verdicts = luck(runs(*(report(sorted(one), 30) for one in wrong)))
        assert len(verdicts) == len(wrong) * (len(wrong) - 1) // 2
        for verdict in verdicts:
            assert verdict.gain == pytest.approx((len(wrong[verdict.other]) - len(wrong[verdict.better])) / 30) and verdict.gain >= 0
            assert verdict.low <= verdict.gain + 1e-9 and verdict.gain - 1e-9 <= verdict.high and 0 < verdict.p <= 1
            assert verdict.surely or verdict.low <= 0, "what could be luck could be nothing"


class TestLearnedFrom:
    def version(self, ws: Workspace, learned: Sequence[int], key: str = "pets") -> DataSpec:
        items = [Item(sha(i), f"{i}.jpg", 0, "train" if i in learned else "test") for i in range(10)]
        return create_dataset(ws, key, key, "me", Version(("cat",), tuple(items)))

    def test_it_is_what_the_run_trained_on(self, ws: Workspace) -> None:
        assert learned_from(ws, replace(RUN, data=self.version(ws, (1, 2)))) == {sha(1), sha(2)}

    def test_what_it_went_on_from_had_learned_too(self, ws: Workspace) -> None:
        first = replace(RUN, data=self.version(ws, (1, 2)))
        write_atomic(ws.run(first.id) / "run.json", to_json(first))
        second = replace(RUN, id="runtwo", data=self.version(ws, (3,), "more"), model=ModelSpec(key_of(first.id)))
        assert learned_from(ws, second) == {sha(1), sha(2), sha(3)}
        assert learned_from(ws, replace(second, model=replace(second.model, pretrained=False))) == {sha(3)}, "it began with random weights"
        assert learned_from(ws, replace(second, model=ModelSpec(key_of("gonerun")))) == {sha(3)}

    def test_without_its_data_nobody_knows(self, ws: Workspace) -> None:
        with pytest.raises(NotFound):
            learned_from(ws, RUN)
