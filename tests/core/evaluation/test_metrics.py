"""Against scikit-learn, on predictions in which one label is never given and one never occurs."""
from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, log_loss, precision_recall_fscore_support

from core.evaluation import metrics

N_CLASSES = 5


@pytest.fixture(scope="module")
def judged() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    truths = random.choice([0, 1, 2, 3], size=200)  # label 4 never occurs
    probabilities = random.dirichlet(np.ones(N_CLASSES), size=200)
    probabilities[np.arange(200), truths] += 0.2
    probabilities[:, 3] *= 0.01  # label 3 is never given
    return truths, probabilities / probabilities.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def table(judged: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return metrics.confusion(judged[0], judged[1].argmax(1), N_CLASSES)


def test_confusion_has_true_labels_as_rows(judged: tuple[np.ndarray, np.ndarray], table: np.ndarray) -> None:
    truths, probabilities = judged
    assert (table == confusion_matrix(truths, probabilities.argmax(1), labels=range(N_CLASSES))).all()


def test_figures_of_every_class_equal_scikit_learn(judged: tuple[np.ndarray, np.ndarray], table: np.ndarray) -> None:
    truths, probabilities = judged
    expected = precision_recall_fscore_support(truths, probabilities.argmax(1), labels=range(N_CLASSES), zero_division=np.nan)
    for ours, theirs in zip((metrics.precision(table), metrics.recall(table)), expected):
        np.testing.assert_allclose(ours, theirs)
    assert np.isnan(metrics.precision(table)[3]) and np.isnan(metrics.recall(table)[4])
    np.testing.assert_allclose(metrics.f1(table)[:4], expected[2][:4])


def test_macro_f1_leaves_out_labels_that_nowhere_occur(judged: tuple[np.ndarray, np.ndarray]) -> None:
    truths, probabilities = judged
    given = probabilities[:, :4].argmax(1)  # now label 4 is neither present nor given
    assert metrics.macro_f1(metrics.confusion(truths, given, N_CLASSES)) == pytest.approx(f1_score(truths, given, average="macro"))


def test_log_loss_equals_scikit_learn(judged: tuple[np.ndarray, np.ndarray]) -> None:
    truths, probabilities = judged
    assert metrics.log_loss(truths, probabilities) == pytest.approx(log_loss(truths, probabilities, labels=range(N_CLASSES)))


def test_log_loss_of_an_impossible_label_is_finite() -> None:
    assert metrics.log_loss(np.array([1]), np.array([[1.0, 0.0]])) == pytest.approx(36.04, abs=0.01)
