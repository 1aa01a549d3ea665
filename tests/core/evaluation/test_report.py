from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import NotFound, SettingsError
from core.evaluation.intervals import wilson
from core.evaluation.judge import SHOWN_MISTAKES, evaluate
from core.evaluation.report import Mistake, read_report, write_report

LABELS = ("ant", "bee", "wasp")
P = [(0.8, 0.1, 0.1), (0.3, 0.6, 0.1), (0.2, 0.7, 0.1), (0.05, 0.9, 0.05), (0.4, 0.35, 0.25)]
TRUTHS = [0, 0, 1, 0, 1]
SHAS = [letter * 64 for letter in "abcde"]
NAMES = ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]


def report(**kwargs):
    return evaluate(P, TRUTHS, LABELS, shas=SHAS, names=NAMES, **kwargs)


def test_the_score_is_the_fraction_right_with_its_interval() -> None:
    made = report()
    assert (made.metric, made.n, made.k, made.score) == ("accuracy", 5, 2, 0.4)
    assert (made.low, made.high) == wilson(2, 5)


def test_figures_per_class_are_none_where_undefined() -> None:
    ant, bee, wasp = report().per_class
    assert (ant.support, ant.given, ant.recall, ant.precision) == (3, 2, pytest.approx(1 / 3), 0.5)
    assert (ant.recall_low, ant.recall_high) == wilson(1, 3)
    assert (bee.support, bee.given, bee.recall) == (2, 3, 0.5)
    assert (wasp.precision, wasp.recall, wasp.recall_low, wasp.recall_high, wasp.f1, wasp.support) == (None, None, None, None, None, 0)


def test_confusion_rows_are_true_labels() -> None:
    assert report().confusion == ((1, 2, 0), (1, 1, 0), (0, 0, 0))


def test_the_most_confident_mistake_comes_first() -> None:
    assert report().mistakes == (Mistake(SHAS[3], "4.jpg", 0, 1, 0.9), Mistake(SHAS[1], "2.jpg", 0, 1, 0.6),
                                 Mistake(SHAS[4], "5.jpg", 1, 0, 0.4))


def test_only_the_worst_of_many_mistakes_are_kept() -> None:
    n = SHOWN_MISTAKES + 20
    made = evaluate([(1 - i / n, i / n) for i in range(n)], [1 if i <= n / 2 else 0 for i in range(n)], ("a", "b"))
    assert (len(made.mistakes), made.n - made.k) == (SHOWN_MISTAKES, n)
    assert made.mistakes[0].probability == 1.0


def test_validation_items_count_as_used_for_choosing() -> None:
    assert report(split="val").used_for_choosing and not report(split="test").used_for_choosing
    assert not report(split="val", used_for_choosing=False).used_for_choosing


def test_what_was_let_stand_before_training_is_kept(tmp_path: Path) -> None:
    write_report(tmp_path / "report.json", report(overruled=3))
    assert read_report(tmp_path / "report.json").overruled == 3 and report().overruled == 0


def test_the_predictions_are_kept_item_by_item() -> None:
    assert [(item.sha, item.truth, item.probabilities) for item in report().predictions] == list(zip(SHAS, TRUTHS, P))


def test_a_report_survives_its_file(tmp_path: Path) -> None:
    write_report(tmp_path / "report.json", report())
    assert read_report(tmp_path / "report.json") == report()


def test_scores_say_what_a_bundle_tells() -> None:
    assert report(split="val").scores() == {"metric": "accuracy", "score": 0.4, "low": report().low, "high": report().high, "n": 5, "k": 2,
                                            "direction": "higher", "unit": "", "figures": report().figures,
                                            "split": "val", "used_for_choosing": True, "overruled": 0}


def test_a_report_from_before_there_were_further_figures_is_read(tmp_path: Path) -> None:
    """As it was written then: two of them stood among the other fields."""
    old = {"split": "test", "used_for_choosing": False, "metric": "accuracy", "score": 0.5, "low": 0.1, "high": 0.9, "n": 2, "k": 1,
           "labels": ["a", "b"], "confusion": [[1, 0], [1, 0]], "per_class": [], "macro_f1": 0.33, "log_loss": 0.8,
           "mistakes": [{"sha": "s", "name": "1.jpg", "truth": 1, "predicted": 0, "probability": 0.7}],
           "predictions": [{"sha": "s", "truth": 1, "probabilities": [0.7, 0.3]}], "overruled": 2}
    (tmp_path / "report.json").write_text(json.dumps(old), encoding="utf-8")
    read = read_report(tmp_path / "report.json")
    assert read.figures == {"macro_f1": 0.33, "log_loss": 0.8} and (read.objective, read.k, read.overruled) == ("single_label", 1, 2)
    assert read.mistakes == (Mistake("s", "1.jpg", 1, 0, 0.7),) and read.predictions[0].truth == 1


def test_a_missing_report_is_explained(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no result yet"):
        read_report(tmp_path / "report.json")


def test_a_damaged_report_is_explained(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError, match="can't be read"):
        read_report(tmp_path / "report.json")


@pytest.mark.parametrize("p, truths, shas, said", [
    ([], [], (), "there are no items"),
    ([(0.5, 0.5)], [0], (), r"probabilities must be \(1, 3\)"),
    (P, TRUTHS, ("x",), "shas must be none or 5, got 1"),
    (P, [0, 0, 0, 0, 3], (), "truths must be 0 to 2, got 0 to 3"),
    ([(float("nan"), 0.5, 0.5)], [0], (), "probabilities must be numbers"),
])
def test_what_does_not_fit_is_refused(p: list, truths: list, shas: tuple, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        evaluate(p, truths, LABELS, shas=shas)
