"""What the pages say and ask about texts, from the data to the start of a training."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import Fault
from core.jobs import add_model
from core.jobs.add_model import Wanted
from core.jobs.side_jobs import Job
from core.models.catalog import CATALOG, find, models
from core.models.own import save_row
from core.owners import LOCAL_OWNER
from core.specs import DataSpec, TrainConfig, from_json, to_json
from core.training.presets import preset_config
from core.workspace import Workspace, write_atomic
from pages.ui.charts import length_figure
from pages.ui.state import Draft
from tests.core.jobs.texts import text_dataset
from tests.pages.conftest import Visit
from tests.pages.seen import said, trouble

WORDS = find("graft-words")


@pytest.fixture
def notes(ws: Workspace, tmp_path: Path) -> DataSpec:
    data = text_dataset(ws, tmp_path, n=12)
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data, model=WORDS.key)))
    return data


def stored(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())


def test_only_models_that_read_are_offered(notes: DataSpec, visit: Visit) -> None:
    page = visit("model.py").button(key="model.all.show").click().run()
    offered = {button.key.removeprefix("model.choose.") for button in page.button if button.key.startswith("model.choose.")}
    assert offered == {row.key for row in CATALOG.values() if row.task == "text"} - {WORDS.key}
    assert "what you take home brings its own predict.py" in said(page) and "reads English" in said(page)


def test_another_kind_of_model_brings_its_own_settings(ws: Workspace, notes: DataSpec, visit: Visit) -> None:
    changed = TrainConfig("custom", epochs=3, max_tokens=20)
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=notes, model=WORDS.key, preset="custom", config=changed)))
    visit("model.py").button(key="model.choose.graft-words-lstm").click().run()
    assert stored(ws).config == TrainConfig("custom", epochs=3) and stored(ws).preset == "custom"
    visit("model.py").button(key="model.choose.minilm").click().run()
    draft = stored(ws)
    assert (draft.config, draft.preset) == (None, "instant") and draft.model == "minilm"


def test_data_of_another_kind_takes_the_model_that_learns_from_it(ws: Workspace, notes: DataSpec, visit: Visit) -> None:
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft()))
    visit("data.py").selectbox(key="data.chosen").set_value(notes.dataset).run()
    assert stored(ws).model == WORDS.key and stored(ws).data == notes


def test_the_data_page_shows_how_long_the_texts_are(notes: DataSpec, visit: Visit) -> None:
    page = visit("data.py").segmented_control(key="data.view").set_value("lengths").run()
    assert trouble(page) == []
    assert "Tokens of a text for Graft Words" in said(page) and "Every text is read to its end." in said(page)


def test_what_is_cut_is_said_before_the_training(ws: Workspace, notes: DataSpec, visit: Visit) -> None:
    page = visit("train.py")
    assert "longer than" not in said(page)
    page.number_input(key=next(field.key for field in page.number_input if field.label == "Longest text (tokens)")).set_value(6).run()
    assert stored(ws).config is not None and stored(ws).config.max_tokens == 6
    assert "% of the texts are longer than 6 tokens: the rest of those is not read." in said(page)
    page.selectbox(key=next(field.key for field in page.selectbox if field.label == "Of longer texts read")).set_value("windows").run()
    assert stored(ws).config.long_texts == "windows" and "longer than" not in said(page)


def test_texts_have_no_settings_of_pictures(notes: DataSpec, visit: Visit) -> None:
    page = visit("train.py")
    labels = {field.label for field in (*page.number_input, *page.toggle, *page.slider, *page.selectbox)}
    assert not {"Input size (pixels)", "Mirror left and right", "Rotation (degrees)"} & labels
    assert {field.label: field.value for field in page.number_input}["Epochs"] == preset_config(WORDS, "instant").epochs


def test_few_examples_are_a_preset_where_a_network_knows_something(ws: Workspace, notes: DataSpec, visit: Visit) -> None:
    assert not [button for button in visit("train.py").button if button.key == "train.preset.few"]
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=notes, model="minilm")))
    page = visit("train.py").button(key="train.preset.few").click().run()
    assert trouble(page) == [] and stored(ws).preset == "few" and stored(ws).actual_config().method == "contrastive"


def test_what_is_no_id_is_explained_in_place(notes: DataSpec, visit: Visit) -> None:
    page = visit("model.py")
    page.text_input(key="model.add.id").set_value("no such/id at/all").run()
    page.button(key="model.add").click().run()
    assert "is not the id of a model" in page.error[0].value


def test_a_model_is_chosen_when_it_has_been_added(ws: Workspace, notes: DataSpec, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Wanted("org/net", "text")
    now = [Job(wanted, 0.0, "running", 10_000_000, 20_000_000)]
    monkeypatch.setattr(add_model, "start", lambda ws, text, pooling, owner, task: text)
    monkeypatch.setattr(add_model, "status", lambda ws, repo: now[0])
    page = visit("model.py")
    page.text_input(key="model.add.id").set_value("org/net").run()
    page.button(key="model.add").click().run()
    assert "Adding org/net: 10 MB of 20 MB" in said(page).replace("\\", "")
    now[0] = Job(wanted, 0.0, "done", 2, 2, result="graft-words-lstm")
    page.run()
    assert stored(ws).model == "graft-words-lstm"


def test_a_model_that_can_not_be_added_says_why(notes: DataSpec, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault("“{model}” is gone.", "The hub does not know it.", "Check the id.", {"model": "org/net"})
    failed = Job(Wanted("org/net", "text"), 0.0, "failed", fault=fault)
    monkeypatch.setattr(add_model, "start", lambda ws, text, pooling, owner, task: text)
    monkeypatch.setattr(add_model, "status", lambda ws, repo: failed)
    page = visit("model.py")
    page.text_input(key="model.add.id").set_value("org/net").run()
    page.button(key="model.add").click().run()
    assert "is gone" in page.error[0].value and page.text_input(key="model.add.id").value == "org/net"


def test_bars_count_every_text_once_and_mark_what_is_longer_than_what_is_read() -> None:
    counts = [3, 3, 4, 50, 90]
    figure = length_figure(counts, 60, "light")
    bars = figure.data[0]
    assert sum(bars.y) == len(counts)
    marked = {height for height, colour in zip(bars.y, bars.marker.color) if colour == length_figure([1], 0, "light").data[0].marker.color[-1] and height}
    assert marked == {1} and len(figure.layout.shapes) == 1
    assert len(length_figure(counts, 100, "dark").layout.shapes) == 0


def test_an_added_model_is_listed_and_deleted_and_the_draft_goes_on_without_it(ws: Workspace, notes: DataSpec, visit: Visit) -> None:
    save_row(ws, replace(find("minilm"), key="hf:org/net", title="org/net"))
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=notes, model="hf:org/net")))
    page = visit("model.py")
    assert trouble(page) == [] and stored(ws).model == "hf:org/net"
    page.button(key="model.forget.hf:org/net").click().run()
    assert trouble(page) == [] and "hf:org/net" not in models(ws)
    assert WORDS.title in page.button(key="recipe.1").label
