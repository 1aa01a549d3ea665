"""Pages for data and runs whose labels are several, yes and no, or numbers. Reports are made, not trained: pages only read them."""
from __future__ import annotations

import random

import pytest

from core.data.asked import ask
from core.data.edit import save
from core.data.versions import Version, load_dataset, load_version
from core.evaluation.judge import evaluate
from core.evaluation.report import Report, write_report
from core.objectives import OBJECTIVES, objective
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, to_json
from core.workspace import Workspace, write_atomic
from pages.ui.state import Draft
from tests.core.jobs.queued import left_as
from tests.pages.conftest import Visit
from tests.pages.prepared import add_dataset, add_run
from tests.pages.seen import said, trouble

SOURCE = random.Random(2)
N = 40


def data_of(ws: Workspace, key: str) -> DataSpec:
    """Eight pictures, asked about in this way."""
    labels = {"regression": ("1.5", "2.5"), "multi_label": ("cat", "dog"), "binary": ("ham", "spam"), "single_label": ("cat", "dog")}[key]
    data = add_dataset(ws, f"of{key.replace('_', '')}", labels, {"train": 4, "val": 2, "test": 2}, name=key)
    version = load_version(ws, data)
    data = data if key == "single_label" else save(ws, data.dataset, LOCAL_OWNER, ask(version, key))
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data)))
    return data


def report_of(version: Version) -> Report:
    key = version.objective
    items = [SOURCE.choice(version.items) for _ in range(N)]
    chances = [SOURCE.random() for _ in range(N)]
    answers = [[20 * chance] for chance in chances] if objective(key).numeric else [[1 - chance, chance] for chance in chances]
    truths = {"regression": [item.value for item in items], "multi_label": [[1, 0] if item.borne == (0,) else [0, 1] for item in items]}.get(
        key, [item.label for item in items])
    return evaluate(answers, truths, version.labels, objective_key=key, shas=[item.sha for item in items], names=[item.name for item in items],
                    unit="kg" if objective(key).numeric else "")


def ended(ws: Workspace, key: str) -> str:
    data = data_of(ws, key)
    run_id = f"run{key.replace('_', '')}"
    folder = add_run(ws, data, run_id)
    write_report(folder / "report.json", report_of(load_version(ws, data)))
    left_as(folder, "finished")
    return run_id


SHOWN = {"single_label": ("Accuracy", "What gets mistaken for what"), "binary": ("Balanced accuracy", "ROC AUC", "What gets mistaken for what"),
         "multi_label": ("F1 over all labels", "Exactly right", "Each label"), "regression": ("Mean error", "R²", "Answers and true numbers", "Farthest off")}


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
@pytest.mark.parametrize("key", list(OBJECTIVES))
def test_results_show_what_the_objective_has_to_say(ws: Workspace, visit: Visit, key: str, locale: str) -> None:
    page = visit("results.py", run=ended(ws, key), locale=locale)
    assert trouble(page) == []
    if locale == "en-US":
        words = said(page) + " ".join(metric.label for metric in page.metric)
        assert [word for word in SHOWN[key] if word not in words] == []
        assert ("Accuracy" in page.metric[0].label) == (key == "single_label")
        assert page.metric[0].value.endswith("kg" if key == "regression" else "%")


@pytest.mark.parametrize("key", list(OBJECTIVES))
def test_data_says_what_is_asked(ws: Workspace, visit: Visit, key: str) -> None:
    data_of(ws, key)
    page = visit("data.py")
    assert trouble(page) == [] and objective(key).explanation in said(page)
    assert ("Label doctor" in str(page.button_group(key="data.view").proto)) == objective(key).labels_exclude


def test_the_question_is_changed_and_undone(ws: Workspace, visit: Visit) -> None:
    data = data_of(ws, "single_label")
    page = visit("data.py")
    page = page.selectbox(key=f"data.asked.{data.version}").select("binary").run()
    assert trouble(page) == [] and "what is looked for" in said(page)
    page = page.button(key="data.asked.change").click().run()
    current = load_version(ws, DataSpec(data.dataset, load_dataset(ws, data.dataset, LOCAL_OWNER).current))
    assert (current.objective, current.labels) == ("binary", ("cat", "dog"))
    page = page.button(key="data.undo").click().run()
    assert load_dataset(ws, data.dataset, LOCAL_OWNER).current == data.version and trouble(page) == []


def test_runs_and_the_way_home_show_numbers_in_their_unit(ws: Workspace, visit: Visit) -> None:
    ended(ws, "regression")
    page = visit("runs.py")
    assert trouble(page) == [] and "kg (" in page.dataframe[0].value["score"].iloc[0]


@pytest.mark.parametrize("key", list(OBJECTIVES))
def test_a_run_under_way_names_its_score_and_its_head(ws: Workspace, visit: Visit, key: str) -> None:
    add_run(ws, data_of(ws, key), "underway")
    page = visit("train.py", run="underway")
    assert trouble(page) == [] and objective(key).metric_label in said(page)
    model = visit("model.py")
    assert trouble(model) == [] and ("your number" if objective(key).numeric else "your 2 labels") in said(model)


def test_settings_that_mean_nothing_are_not_offered(ws: Workspace, visit: Visit) -> None:
    for key in ("single_label", "regression"):
        data_of(ws, key)
        page = visit("train.py")
        assert trouble(page) == [] and ("Label smoothing" in said(page)) == objective(key).smoothing
        assert ("Rare labels count more" in said(page)) == objective(key).weights


@pytest.mark.parametrize("key", OBJECTIVES)
def test_pairs_are_offered_only_where_items_bear_one_label_each(ws: Workspace, visit: Visit, key: str) -> None:
    data_of(ws, key)
    offered = any(button.key == "train.preset.few" for button in visit("train.py").button)
    assert offered == objective(key).labels_exclude
