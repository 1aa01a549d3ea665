"""Reports of every objective, against scikit-learn where it knows the figure."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, mean_absolute_error, r2_score, roc_auc_score

from core.data.versions import Item
from core.evaluation.intervals import bootstrap, mean_of_rates, wilson
from core.evaluation.judge import evaluate, truths_of
from core.evaluation.report import Report, WrongLabels, WrongNumber, read_report, write_report
from core.objectives import OBJECTIVES, objective

RANDOM = np.random.default_rng(5)
N = 120


def rare_spam() -> tuple[np.ndarray, np.ndarray]:
    """One in eight is spam, and half of it is found."""
    truths = (np.arange(N) % 8 == 0).astype(int)
    p = np.where(truths == 1, np.where(np.arange(N) % 16 == 0, 0.9, 0.3), RANDOM.uniform(0, 0.6, N))
    return np.stack([1 - p, p], 1), truths


def tagged() -> tuple[np.ndarray, np.ndarray]:
    marks = (RANDOM.random((N, 4)) < 0.3).astype(int)
    marks[0] = 0
    return np.clip(marks * 0.45 + RANDOM.random((N, 4)) * 0.65, 0, 1), marks


def measured() -> tuple[np.ndarray, np.ndarray]:
    true = RANDOM.normal(40, 12, N)
    return (true + RANDOM.normal(1, 3, N))[:, None], true


GIVEN = {"single_label": (rare_spam()[0], rare_spam()[1], ("ham", "spam")), "binary": (*rare_spam(), ("ham", "spam")),
         "multi_label": (*tagged(), tuple("abcd")), "regression": (*measured(), ("age",))}


def made(key: str, **more: object) -> Report:
    answers, truths, labels = GIVEN[key]
    return evaluate(answers.tolist(), truths.tolist(), labels, objective_key=key, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", list(OBJECTIVES))
def test_a_report_of_every_objective_survives_its_file(key: str, tmp_path: Path) -> None:
    report, row = made(key, shas=[f"{i:064x}" for i in range(N)]), objective(key)
    write_report(tmp_path / "report.json", report)
    assert read_report(tmp_path / "report.json") == report
    assert (report.objective, report.metric, report.n, set(report.figures)) == (key, row.metric, N, set(row.figures))
    assert report.low is not None and report.high is not None and report.low < report.score < report.high
    assert report.scores()["direction"] == ("higher" if row.higher_is_better else "lower")
    assert bool(report.confusion) == row.labels_exclude and len(report.predictions) == N


def test_rare_spam_is_judged_by_both_labels_alike() -> None:
    (p, y, _), report = GIVEN["binary"], made("binary")
    given = p.argmax(1)
    assert report.score == pytest.approx(balanced_accuracy_score(y, given)) and report.k is None
    assert report.figures["auc"] == pytest.approx(roc_auc_score(y, p[:, 1]))
    assert report.figures["positive_f1"] == pytest.approx(f1_score(y, given)) and report.figures["log_loss"] == pytest.approx(log_loss(y, p[:, 1]))
    never = evaluate([[1.0, 0.0]] * N, y.tolist(), ("ham", "spam"), objective_key="binary")
    assert never.score == 0.5 and never.figures["accuracy"] == 0.875 and never.figures["positive_precision"] is None


def test_the_range_of_a_balanced_accuracy_knows_how_few_bear_the_rare_label() -> None:
    all_right = evaluate([[1.0, 0.0]] * 97 + [[0.0, 1.0]] * 3, [0] * 97 + [1] * 3, ("ham", "spam"), objective_key="binary")
    assert all_right.score == 1.0 and all_right.low is not None and all_right.low < 0.75
    assert mean_of_rates([(8, 10)]) == pytest.approx(wilson(8, 10)) and mean_of_rates([(0, 0)]) == (0.0, 1.0)


def test_several_labels_are_judged_together_and_one_by_one() -> None:
    (p, marks, labels), report = GIVEN["multi_label"], made("multi_label")
    given = (p >= 0.5).astype(int)
    assert report.score == pytest.approx(f1_score(marks, given, average="micro"))
    assert report.figures["macro_f1"] == pytest.approx(f1_score(marks, given, average="macro"))
    assert report.figures["exact_match"] == pytest.approx((marks == given).all(1).mean())
    assert [row.f1 for row in report.per_class] == pytest.approx(f1_score(marks, given, average=None)) and len(report.per_class) == len(labels)
    assert report.predictions[0].truth == ()
    wrong = [one for one in report.mistakes if isinstance(one, WrongLabels)]
    assert len(wrong) == min(100, int((marks != given).any(1).sum())) and wrong == sorted(wrong, key=lambda one: -one.certainty)


def test_an_item_of_several_labels_names_what_was_missed_and_added() -> None:
    report = evaluate([[0.9, 0.2, 0.1], [0.1, 0.9, 0.8]], [[1, 0, 1], [0, 1, 1]], tuple("abc"), objective_key="multi_label", names=["1", "2"])
    assert report.mistakes == (WrongLabels("", "1", (2,), (), 0.9),)


def test_items_that_are_all_right_are_no_certainty() -> None:
    report = evaluate([[0.9, 0.1]] * 12, [[1, 0]] * 12, tuple("ab"), objective_key="multi_label")
    assert (report.score, report.low, report.high) == (1.0, pytest.approx(wilson(12, 12)[0]), 1.0)


def test_numbers_are_judged_by_how_far_off_they_are() -> None:
    (said, true, _), report = GIVEN["regression"], made("regression", unit="years")
    assert report.score == pytest.approx(mean_absolute_error(true, said[:, 0])) and report.unit == "years"
    assert report.figures["r2"] == pytest.approx(r2_score(true, said[:, 0]))
    assert report.figures["baseline"] == pytest.approx(np.abs(true - true.mean()).mean())
    off = [abs(one.answer - one.true_value) for one in report.mistakes if isinstance(one, WrongNumber)]
    assert len(off) == 100 and off == sorted(off, reverse=True)


def test_numbers_of_any_size_are_kept_item_by_item() -> None:
    report = evaluate([[1.25e-9], [3.5e12]], [1e-9, 3e12], ("age",), objective_key="regression")
    assert [item.probabilities for item in report.predictions] == [(1.25e-9,), (3.5e12,)] and report.predictions[0].truth == 1e-9


def test_one_number_has_no_range() -> None:
    report = evaluate([[3.0]], [4.0], ("age",), objective_key="regression")
    assert (report.score, report.low, report.high, report.figures["r2"]) == (1.0, None, None, None)


def test_the_bootstrap_is_the_same_every_time_and_narrows_as_items_come() -> None:
    def width(n: int) -> float:
        items = np.random.default_rng(1).exponential(2, (n, 1))
        low, high = bootstrap(items, lambda sums: sums[:, 0] / n) or (0.0, 0.0)
        assert (low, high) == bootstrap(items, lambda sums: sums[:, 0] / n)
        return high - low
    assert width(1600) < width(100) / 3


def test_the_bootstrap_holds_what_it_promises_for_few_items() -> None:
    """Of 300 samples of 8 numbers, the range of the mean holds the true one in about 95 %; plain percentiles would in 88 %."""
    random = np.random.default_rng(2)
    ranges = [bootstrap(random.normal(10, 2, (8, 1)), lambda sums: sums[:, 0] / 8) for _ in range(300)]
    assert np.mean([low <= 10 <= high for low, high in ranges if low is not None]) > 0.92  # type: ignore[misc]


def test_what_is_true_is_said_in_the_order_of_the_network() -> None:
    items = [Item("s", "1", 0, "test"), Item("t", "2", 1, "test")]
    assert truths_of(items, ("b", "a"), ("a", "b", "c"), "binary") == [1, 0]
    assert truths_of(items, ("b", "a"), ("a", "b", "c"), "multi_label") == [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(ValueError, match="known"):
        truths_of(items, ("b", "x"), ("a", "b"), "single_label")
    with pytest.raises(ValueError, match="number"):
        truths_of(items, ("b", "a"), ("age",), "regression")


@pytest.mark.parametrize("key, answers, truths, labels", [
    ("multi_label", [[0.5, 0.5]], [[0, 2]], ("a", "b")), ("multi_label", [[0.5, 0.5]], [1], ("a", "b")),
    ("regression", [[0.5]], [float("nan")], ("age",)), ("binary", [[0.5, 0.5]], [2], ("a", "b"))])
def test_truths_that_do_not_fit_are_refused(key: str, answers: list, truths: list, labels: tuple) -> None:
    with pytest.raises(ValueError, match="truths must be"):
        evaluate(answers, truths, labels, objective_key=key)
