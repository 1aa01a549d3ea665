"""Results, Try it and Take home: what a run's figures mean, and what they don't."""
from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import UserError
from core.evaluation.judge import evaluate
from core.evaluation.report import Report, read_report, write_report
from core.jobs.predictor_client import Prediction, PredictorClient
from core.jobs.runs import FIRST, FIRST_REPORT
from core.workspace import Workspace
from pages.ui import try_pictures
from pages.ui.components.picture_input import Chosen
from pages.ui.text import md, percent, score_range
from tests.core.data.picture_files import jpeg
from tests.pages.conftest import Visit
from tests.pages.prepared import DISCARDED, ENDED, HOSTILE, HOSTILE_RUN, QUEUED, VAL_ONLY
from tests.pages.seen import html, markdown, said, trouble


class Asked:
    """Stands in for the process that predicts."""

    def __init__(self, labels: tuple[str, ...], probabilities: tuple[float, ...]) -> None:
        self.labels, self.probabilities, self.bundles, self.pictures = labels, probabilities, [], []

    def predict(self, bundle: Path, pictures: list[bytes]) -> Prediction:
        self.bundles.append(bundle)
        self.pictures += pictures
        return Prediction(self.labels, (self.probabilities,), 0.01)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch):
    def answer_with(labels: tuple[str, ...], *probabilities: float) -> Asked:
        double = Asked(labels, probabilities)
        monkeypatch.setattr(PredictorClient, "predict", lambda self, bundle, pictures: double.predict(bundle, pictures))
        return double
    return answer_with


@pytest.fixture
def bring(monkeypatch: pytest.MonkeyPatch):
    """`bring(n)`: the reader clicks the n-th sample; `bring(bytes)`: or brings a picture."""
    def answer_with(what: int | bytes) -> None:
        def picture_input(samples: list, *, key: str) -> Chosen:
            return Chosen(sha=samples[what].sha) if isinstance(what, int) else Chosen(name="mine.jpg", data=what)
        monkeypatch.setattr(try_pictures, "picture_input", picture_input)
    return answer_with


def test_copies_that_were_let_stand_are_a_caution(lived_in: Workspace, visit: Visit) -> None:
    path = lived_in.run(ENDED) / "report.json"
    report = read_report(path)
    try:
        write_report(path, replace(report, overruled=7))
        [caution] = visit("results.py", run=ENDED).warning
    finally:
        write_report(path, report)
    assert "Near-copies on both sides of the split: 7" in caution.value and "may look better" in caution.value


def test_the_headline_is_the_reports_with_its_range(lived_in: Workspace, visit: Visit) -> None:
    report, page = read_report(lived_in.run(ENDED) / "report.json"), visit("results.py", run=ENDED)
    assert (page.metric[0].label, page.metric[0].value) == ("Accuracy (test)", percent(report.score))
    assert f"{report.k} of {report.n} right. The true rate is likely {report.low * 100:.0f}–{report.high * 100:.0f} %" in said(page)
    assert "they played no part in any choice" in said(page) and "Only 6 items: a rough score." in said(page) and not page.warning
    table = page.dataframe[0].value
    assert table["Label"].tolist() == ["cat", "dog", "hen"] and table["Items"].tolist() == [2, 2, 2]


@pytest.mark.parametrize("wrong_before, wrong_after, says", [(8, 0, "surely better"), (0, 8, "surely worse"), (1, 0, "could be luck")])
def test_what_training_more_has_brought_is_compared_item_by_item(wrong_before: int, wrong_after: int, says: str, lived_in: Workspace,
                                                                 visit: Visit) -> None:
    folder = lived_in.run(ENDED)
    kept = read_report(folder / "report.json")
    truths = [k % 3 for k in range(12)]

    def report(wrong: int) -> Report:
        rows = [[0.9 if i == (truth + (k < wrong)) % 3 else 0.05 for i in range(3)] for k, truth in enumerate(truths)]
        return evaluate(rows, truths, kept.labels, split="test", shas=[f"{k:064x}" for k in range(12)], names=[""] * len(truths))
    try:
        write_report(folder / FIRST_REPORT, report(wrong_before))
        write_report(folder / "report.json", report(wrong_after))
        page = visit("results.py", run=ENDED)
        assert "The head alone, at the start" in said(page) and says in said(page) and trouble(page) == []
    finally:
        (folder / FIRST_REPORT).unlink()
        write_report(folder / "report.json", kept)
    assert "The head alone" not in said(visit("results.py", run=ENDED))


def test_a_first_model_is_tried_while_the_rest_learns(lived_in: Workspace, visit: Visit, ask, bring) -> None:
    ended, folder = lived_in.run(ENDED), lived_in.run(QUEUED)
    double = ask(("cat", "dog", "hen"), 0.1, 0.8, 0.1)
    bring(0)
    try:
        shutil.copytree(ended / "best", folder / FIRST)
        shutil.copy(ended / "report.json", folder / FIRST_REPORT)
        page = visit("try_it.py", run=QUEUED)
        assert "This is the first model" in page.info[0].value and double.bundles == [folder / FIRST]
        assert "Download model" not in html(page) and page.button(key="recipe.next").label == "Watch the training"
        watched = visit("train.py", run=QUEUED)
        assert "A first model is ready" in markdown(watched) and trouble(watched) == []
        assert "still learning" in said(visit("results.py", run=QUEUED)), "results are those of the whole run"
    finally:
        shutil.rmtree(folder / FIRST)
        (folder / FIRST_REPORT).unlink()


def test_a_score_that_was_used_for_choosing_says_so(lived_in: Workspace, visit: Visit) -> None:
    page = visit("results.py", run=VAL_ONLY)
    assert page.metric[0].label == "Accuracy (validation)"
    assert "used for choosing the best epoch" in page.warning[0].value and "they played no part in any choice" not in said(page)


def test_no_mistakes_are_good_news_and_undefined_figures_are_dashes(lived_in: Workspace, visit: Visit) -> None:
    write_report(lived_in.run(ENDED) / "report.json", evaluate([[0.8, 0.1, 0.1]] * 30, [0] * 30, ("cat", "dog", "hen")))
    page = visit("results.py", run=ENDED)
    assert page.success[0].value == "No mistakes on these items." and "a rough score" not in said(page)
    assert page.dataframe[0].value.iloc[1].tolist() == ["dog", "–", "–", "–", 0]


def test_mistakes_name_both_labels_letter_by_letter(lived_in: Workspace, visit: Visit) -> None:
    report, page = read_report(lived_in.run(HOSTILE_RUN) / "report.json"), visit("results.py", run=HOSTILE_RUN)
    assert report.n - report.k == 6 and html(page).count("<figure>") == 6
    assert [name for name in HOSTILE if name in markdown(page)] == []
    assert "<img src=x" not in html(page) and "&lt;img src=x" in html(page)
    assert page.dataframe[0].value["Label"].tolist() == list(HOSTILE)


def test_the_wish_for_a_run_that_has_no_result_leads_to_the_run(lived_in: Workspace, visit: Visit) -> None:
    for run, text in ((QUEUED, "This run is still learning."),
                      (DISCARDED, "This run has no result: it failed or was discarded.")):
        page = visit("results.py", run=run)
        assert text in said(page) and not page.metric
        page.button(key="run.watch").click().run()
        assert page.query_params["run"] == run and trouble(page) == []


def test_without_a_run_in_the_address_the_newest_result_is_shown(lived_in: Workspace, visit: Visit) -> None:
    page = visit("results.py")
    assert page.query_params["run"] == HOSTILE_RUN and page.metric


def test_results_lead_to_try_it_of_the_same_run(lived_in: Workspace, visit: Visit) -> None:
    page = visit("results.py", run=ENDED).button(key="recipe.next").click().run()
    assert page.query_params["run"] == ENDED and "Use the camera" in said(page)


def test_samples_come_from_pictures_it_never_learned_from(lived_in: Workspace, visit: Visit, ask, bring) -> None:
    asked = ask(("cat", "dog", "hen"), 0.2, 0.7, 0.1)
    for sample, verdict in ((0, "Wrong: it is cat."), (1, "Right: it is dog.")):
        bring(sample)
        page = visit("try_it.py", run=ENDED)
        assert "### dog  :gray[70 %]" in markdown(page) and verdict in markdown(page).replace("\\", "")
        assert trouble(page) == []
    report = read_report(lived_in.run(ENDED) / "report.json")
    blobs = [lived_in.blob(judged.sha).read_bytes() for judged in report.predictions]
    assert all(picture in blobs for picture in asked.pictures) and set(asked.bundles) == {lived_in.run(ENDED) / "best"}


def test_a_weak_answer_is_called_unsure(lived_in: Workspace, visit: Visit, ask, bring) -> None:
    asked = ask(("cat", "dog", "hen"), 0.4, 0.35, 0.25)
    mine = jpeg(777)
    bring(mine)
    page = visit("try_it.py", run=ENDED)
    assert "### Not sure" in markdown(page) and asked.pictures == [mine] and "Right: " not in said(page)


def test_hostile_labels_are_answers_letter_by_letter(lived_in: Workspace, visit: Visit, ask, bring) -> None:
    for position in range(len(HOSTILE)):
        ask(HOSTILE, *(0.85 if i == position else 0.05 for i in range(len(HOSTILE))))
        bring(0)
        page = visit("try_it.py", run=HOSTILE_RUN)
        assert trouble(page) == [] and [name for name in HOSTILE if name in markdown(page)] == []
        assert f"### {md(HOSTILE[position])}" in markdown(page)


def test_a_picture_that_cannot_be_read_is_explained(lived_in: Workspace, visit: Visit, bring, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: PredictorClient, bundle: Path, pictures: list[bytes]) -> Prediction:
        raise UserError("Picture {position} can't be read.", "It is no picture.", "Try another one.", position=1)
    monkeypatch.setattr(PredictorClient, "predict", refuse)
    bring(b"no picture")
    page = visit("try_it.py", run=ENDED)
    assert not page.exception and len(page.error) == 1 and "Picture 1 can't be read" in page.error[0].value
    assert "Download model" in html(page) and "Use the camera" in said(page)  # another one can be brought at once


@pytest.mark.parametrize("page", ["try_it.py", "export.py"])
def test_the_model_is_a_link_that_names_the_run(lived_in: Workspace, visit: Visit, page: str) -> None:
    shown = visit(page, run=ENDED)
    assert f'href="graft/bundle/{ENDED}.zip?token=' in html(shown) and " download>" in html(shown)


def test_take_home_says_what_is_in_the_file_and_how_good_it_is(lived_in: Workspace, visit: Visit) -> None:
    report, page = read_report(lived_in.run(ENDED) / "report.json"), visit("export.py", run=ENDED)
    for part in ("model.safetensors", "bundle.json", "predict.py", "README.md", "python predict.py picture.jpg", "research use"):
        assert part in said(page).replace("\\", "")
    assert score_range(report.score, report.low, report.high) in said(page)


def test_scores_with_few_pictures_bear_their_wide_range(lived_in: Workspace, visit: Visit) -> None:
    report = replace(read_report(lived_in.run(ENDED) / "report.json"), score=0.5, low=0.1, high=0.9)
    write_report(lived_in.run(ENDED) / "report.json", report)
    assert "50 % (10–90)" in said(visit("export.py", run=ENDED))
