"""The sample messages: as many of each label in both languages, all different, telling, and a dataset without faults once imported."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from core.data.facts import load_facts
from core.data.health.check import check
from core.data.intake.importing import import_sample
from core.data.samples.sets import SAMPLES, files
from core.data.texts import load_texts
from core.data.versions import load_version
from core.workspace import Workspace

MESSAGES = [(label, data.decode("utf-8")) for label, _, data in files("messages")]
ENGLISH = [(label, text) for label, text in MESSAGES if text.isascii()]
CHINESE = [(label, text) for label, text in MESSAGES if re.search("[\u4e00-\u9fff]", text)]


def test_half_of_each_label_is_english_and_half_chinese() -> None:
    assert len(ENGLISH) + len(CHINESE) == len(MESSAGES)
    for rows in (ENGLISH, CHINESE):
        assert Counter(label for label, _ in rows) == dict.fromkeys(SAMPLES["messages"].labels, 45)


def test_messages_are_short_and_of_many_lengths() -> None:
    words, characters = [len(text.split()) for _, text in ENGLISH], [len(text) for _, text in CHINESE]
    assert (min(words), max(words)) == (3, 40) and len(set(words)) > 20
    assert (min(characters), max(characters)) == (4, 36) and len(set(characters)) > 20
    assert all(text == text.strip() and "\n" not in text for _, text in MESSAGES)


def test_messages_hold_nobodys_address_or_number() -> None:
    found = [text for _, text in MESSAGES if re.search(r"@|https?:|www\.|\d{5}|\d{3}[ -]\d{3}", text)]
    assert found == []


@pytest.mark.parametrize("rows", [ENGLISH, CHINESE], ids=["English", "Chinese"])
def test_words_tell_most_labels_and_not_all(rows: Sequence[tuple[str, str]]) -> None:
    labels, texts = zip(*rows)
    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    assert 0.7 < cross_val_score(make_pipeline(words, LinearSVC()), texts, labels, cv=folds).mean() < 0.9


def test_length_does_not_tell_the_label() -> None:
    for rows in (ENGLISH, CHINESE):
        means = [sum(lengths) / len(lengths) for label in SAMPLES["messages"].labels
                 if (lengths := [len(text) for own, text in rows if own == label])]
        assert max(means) < 1.7 * min(means)


def test_they_become_a_dataset_of_texts_without_faults_and_the_same_one_each_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    versions = []
    for place in ("one", "other"):
        ws = Workspace.open(tmp_path_factory.mktemp(place))
        data = import_sample(ws, "messages", "somebody", lambda done, total: None)
        versions.append(data.version)
        version, facts = load_version(ws, data), load_facts(ws, data.dataset)
    assert versions[0] == versions[1]
    assert data.task == version.task == SAMPLES["messages"].task == "text"
    assert sorted(version.labels) == sorted(SAMPLES["messages"].labels) and not version.rejected
    texts = load_texts(ws, data.dataset)
    assert [(version.labels[item.label], texts[item.sha]) for item in version.items] == sorted(MESSAGES, key=lambda row: row[0])
    assert facts.near == ()
    assert [problem.kind for problem in check(version, facts)] == ["several_languages"]  # it says so itself
    assert all(min(of_label.values()) > 5 for of_label in version.counts().values())
