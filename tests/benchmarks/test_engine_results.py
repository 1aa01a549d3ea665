"""The benchmark's arithmetic: ratios, targets, and the tables that readers see. Nothing is timed."""
from __future__ import annotations

import pytest

from benchmarks.engine import results
from benchmarks.engine.cases import CASES, Case, Data, Job, Measured, contenders_of
from benchmarks.engine.clock import Clock
from benchmarks.engine.results import Row, Runs, compared, of_queue, score_of
from core.specs import DataSpec

DATA = Data("workspace", DataSpec("data", "version"), "files", 5, 1200, 300)
FROZEN, RANDOM = CASES[0], next(case for case in CASES if not case.pretrained)


def runs(*seconds: float, case: Case = FROZEN, score: float = 0.9, epochs: int = 10, budget_s: float = 0.0) -> Runs:
    return [(Job(case, "ours", DATA, 10, seed, budget_s=budget_s), Measured(one, epochs, score, 3.0, 1.0, "fp32"))
            for seed, one in enumerate(seconds)]


def row_of(rows: list[Row], peer: str) -> Row:
    return next(row for row in rows if row.peer.startswith(peer))


def test_a_peer_is_compared_by_the_medians_of_both() -> None:
    found = compared(FROZEN, {"ours": runs(4.0, 5.0, 9.0), "plain-fp32": runs(100.0, 150.0, 600.0)}, "fast bf16")
    row = row_of(found, "PyTorch loop, fp32")
    assert (row.ours_s, row.peer_s, row.ratio, row.target, row.met) == (5.0, 150.0, 30.0, None, None)


def test_targets_are_those_of_the_best_peer_of_each_kind() -> None:
    found = {"ours": runs(5.0), "plain-fp32": runs(200.0), "fastai-fp32": runs(130.0), "plain-bf16": runs(39.0)}
    rows = compared(FROZEN, found, "fast bf16")
    fp32, of_any = row_of(rows, "best in fp32"), row_of(rows, "best of any kind")
    assert (fp32.peer, fp32.ratio, fp32.target, fp32.met) == ("best in fp32: fastai, fp32", 26.0, 25, True)
    assert (of_any.peer, of_any.ratio, of_any.target, of_any.met) == ("best of any kind: PyTorch loop, bf16", 7.8, 8, False)


def test_without_fast_bf16_there_is_one_target_against_all_peers() -> None:
    rows = compared(FROZEN, {"ours": runs(5.0), "plain-fp32": runs(50.0)}, "no fast bf16")
    assert [(row.peer, row.met) for row in rows if row.target] == [("best of any kind: PyTorch loop, fp32", True)]


def test_the_head_that_is_fitted_at_once_stands_against_logistic_regression() -> None:
    rows = compared(FROZEN, {"ours": runs(5.0), "instant": runs(4.0), "features": runs(9.0)}, "fast bf16")
    row = row_of(rows, "features")
    assert (row.ours_s, row.ratio, row.target, row.met) == (4.0, 2.25, 2, True)


@pytest.mark.parametrize(("ours_s", "met"), [(5.0, True), (5.1, False)])
def test_the_floor_may_be_passed_by_a_quarter(ours_s: float, met: bool) -> None:
    row = row_of(compared(FROZEN, {"ours": runs(ours_s), "floor": runs(4.0)}, "fast bf16"), "floor")
    assert (row.ratio, row.target, row.met) == (pytest.approx(ours_s / 4), 1.25, met)


def test_runs_through_the_queue_have_seconds_for_targets() -> None:
    first, second = of_queue({"first run: first point": 2.5, "second run: ended": 1.5}, "fast bf16")
    assert (first.target, first.met, second.target, second.met) == (2, False, 2, True)
    assert of_queue({"first run: first point": 2.5, "second run: ended": 1.5}, "no fast bf16")[0].met


def test_scores_of_runs_cut_short_and_of_random_weights_say_nothing() -> None:
    assert score_of(runs(1.0, 1.0)) == pytest.approx(0.9)
    assert score_of(runs(1.0, epochs=3, budget_s=60.0)) is None
    assert score_of(runs(1.0, case=RANDOM)) is None


def test_a_run_cut_short_is_scaled_by_its_later_epochs() -> None:
    clock = Clock(Job(FROZEN, "plain-fp32", DATA, 10, budget_s=60.0), start_up_s=3.0)
    clock.took(12.0)  # reading and the first epoch
    clock.took(20.0)
    assert clock.measured().seconds == 20.0 + 8 * 8.0
    assert clock.measured().epochs == 2


def test_one_that_has_no_budget_takes_what_it_took() -> None:
    clock = Clock(Job(FROZEN, "ours", DATA, 10), start_up_s=3.0)
    clock.took(12.0)
    assert clock.measured().seconds == 12.0
    assert not clock.epoch(0.5) and not clock.epoch(0.25)
    assert clock.measured().score == 0.5


def test_every_case_has_its_contenders() -> None:
    by_name = {case.name: contenders_of(case) for case in CASES}
    assert {"instant", "floor", "features", "fastai-fp32"} <= set(by_name["pictures, frozen backbone, mobilenet_v2"])
    assert by_name["texts, last 2 encoder layers, minilm"] == ("ours", "plain-fp32", "plain-bf16", "trainer-fp32", "trainer-bf16")


def test_tables_show_targets_and_what_was_scaled() -> None:
    found = {"ours": runs(5.0, 5.0), "plain-fp32": runs(100.0, epochs=3, budget_s=60.0)}
    assert "| PyTorch loop, fp32 | fp32 | 100 s | 20.00× |  | 3.00 s | 3 of 10 epochs measured, and scaled |" in results.case_table(found)
    assert "| Graft | fp32 | 5.00 s | 1.00× | 0.900 (2) | 3.00 s |  |" in results.case_table(found)
    queue = of_queue({"first run: first point": 1, "second run: ended": 1}, "fast bf16")
    targets = results.targets_table([*compared(FROZEN, found, "fast bf16"), *queue])
    assert f"| {FROZEN.name} | best in fp32: PyTorch loop, fp32 | 5.00 s | 100 s | 20.00× | ≥ 25 × | **missed** |  |" in targets
    assert "| click to the first point, built-in model |  | 1.00 s |  |  | ≤ 2 s | met |  |" in targets


def test_a_missed_target_is_shown_beside_what_the_floor_would_reach() -> None:
    rows = compared(FROZEN, {"ours": runs(5.0), "plain-fp32": runs(100.0), "floor": runs(4.0)}, "fast bf16")
    lines = results.targets_table(rows).splitlines()
    assert "| 20.00× | ≥ 25 × | **missed** | 25.00× |" in lines[2]
    assert lines[-1].endswith("| 1.25× | ≤ 1.25 × | met |  |")


def test_tables_of_seconds_leave_empty_what_was_not_measured() -> None:
    lines = results.seconds_table({"one": {"storing": 2.0}, "two": {"reading": 12.0}}).splitlines()
    assert lines[2:] == ["| one | 2.00 s |  |", "| two |  | 12 s |"]


def test_a_profile_shows_the_most_expensive_operations_first() -> None:
    assert results.profile_table({"add": 1.0, "convolution": 3.0}).splitlines()[2:] == ["| `convolution` | 75% |", "| `add` | 25% |"]
