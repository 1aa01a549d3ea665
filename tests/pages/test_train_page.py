"""Train: presets, settings, starting one run, and a run at every stage of its life."""
from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core import events
from core.jobs.life import DISK_FULL, state_of
from core.jobs.options import Options, set_options
from core.jobs.predictor_client import PredictorClient
from core.jobs.processes import this_process
from core.jobs.runs import LAST, append, list_runs, load_run, wish_of
from core.models.catalog import DEFAULT, find
from core.owners import LOCAL_OWNER
from core.specs import Augmentation, DataSpec, ModelSpec, RunSpec, from_json, to_json
from core.training.presets import PRESETS, preset_config, preset_plan, presets_for
from core.workspace import Workspace, write_atomic
from pages.ui import live
from pages.ui.state import Draft
from tests.core.data.picture_files import jpeg
from tests.core.jobs.queued import left_as, worked_on
from tests.pages.conftest import Visit
from tests.pages.prepared import DISCARDED, ENDED, FAILED, INTERRUPTED, PETS, QUEUED, TINY, add_dataset
from tests.pages.seen import markdown, said, trouble

ROW = find(DEFAULT)


@pytest.fixture
def pets(ws: Workspace) -> DataSpec:
    data = add_dataset(ws, PETS, ("cat", "dog"), {"train": 10, "val": 2, "test": 2}, name="pets")
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=data)))
    return data


def stored(ws: Workspace) -> Draft:
    return from_json(Draft, ws.draft(LOCAL_OWNER).read_bytes())


def title_of(page: AppTest) -> str:
    return next(text.value for text in page.markdown if text.value.startswith("# "))


def test_without_data_the_way_leads_back_to_it(ws: Workspace, visit: Visit) -> None:
    page = visit("train.py").button(key="recipe.next").click().run()
    assert [title.value for title in page.title] == ["What should your model learn?"]


@pytest.mark.parametrize("key", PRESETS)
def test_a_preset_sets_freezing_and_all_settings(ws: Workspace, pets: DataSpec, visit: Visit, key: str) -> None:
    page = visit("train.py")
    page.number_input(key="train.epochs.0").set_value(3).run()
    assert stored(ws).preset == "custom" and stored(ws).config == replace(preset_config(ROW, "instant"), preset="custom", epochs=3)
    page.button(key=f"train.preset.{key}").click().run()
    draft = stored(ws)
    assert (draft.preset, draft.actual_config(), draft.actual_plan()) == (key, preset_config(ROW, key), preset_plan(ROW, key))
    assert {field.label: field.value for field in page.number_input}["Epochs"] == preset_config(ROW, key).epochs
    assert f"train.preset.{key}" not in [button.key for button in page.button] and trouble(page) == []


def test_each_preset_says_what_it_costs_and_the_estimate_follows_the_settings(ws: Workspace, pets: DataSpec, visit: Visit) -> None:
    page = visit("train.py")
    assert len([text for text in page.markdown if ":material/timer:" in text.value]) == len(presets_for(ROW, 1)) + 1
    assert "then 12 fits of the head" in markdown(page) and "A first guess" in said(page) and "L-BFGS fits it to all items" in said(page)
    page.selectbox(key="train.optimizer.0").select("adamw").run()
    assert "each of up to 40 epochs" in markdown(page) and "L-BFGS fits it to all items" not in said(page)
    page.number_input(key="train.epochs.0").set_value(3).run()
    assert "each of up to 3 epochs" in markdown(page)


def test_augmentation_is_shown_on_eight_of_your_own_pictures(ws: Workspace, pets: DataSpec, visit: Visit,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, Augmentation]] = []

    def preview(self: PredictorClient, files: list, preprocess: object, augmentation: Augmentation) -> list[bytes]:
        asked.append((len(files), augmentation))
        return [jpeg(seed) for seed in range(len(files))]
    monkeypatch.setattr(PredictorClient, "preview", preview)
    page = visit("train.py")
    assert not page.get("image") and not page.get("imgs")
    page.toggle(key="train.flip.0").set_value(True).run()
    assert asked == [(8, Augmentation(flip=True))] and stored(ws).actual_config().augmentation == Augmentation(flip=True)
    assert "different in every epoch" in said(page) and trouble(page) == []


def test_starting_makes_one_run_with_what_was_chosen_and_leads_to_its_address(ws: Workspace, pets: DataSpec, visit: Visit) -> None:
    page = visit("train.py")
    page.button(key="train.preset.balanced").click().run()
    page.button(key="recipe.next").click().run()
    (run,) = list_runs(ws, LOCAL_OWNER)
    assert (run.data, run.config, run.plan) == (pets, preset_config(ROW, "balanced"), preset_plan(ROW, "balanced"))
    assert page.query_params["run"] == run.id and title_of(page).startswith("# pets\\-1 ")
    assert stored(ws).request not in ("", run.id)  # the next start makes another run


def test_two_tabs_with_the_same_draft_make_one_run(ws: Workspace, pets: DataSpec, visit: Visit) -> None:
    write_atomic(ws.draft(LOCAL_OWNER), to_json(replace(stored(ws), request="samerequest")))
    first, second = visit("train.py"), visit("train.py")
    for page in (first, second):
        page.button(key="recipe.next").click().run()
    assert [run.id for run in list_runs(ws, LOCAL_OWNER)] == ["samerequest"]
    assert second.query_params["run"] == "samerequest" and trouble(second) == []


@pytest.mark.parametrize("model", ["inception_v3", "vit_b_16"])
def test_an_input_size_that_the_model_cannot_take_is_not_kept(ws: Workspace, pets: DataSpec, visit: Visit, model: str) -> None:
    small = replace(preset_config(ROW, "instant"), input_size=64, epochs=3)
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=pets, preset="custom", config=small)))
    visit("model.py").button(key="model.all.show").click().run().button(key=f"model.choose.{model}").click().run()
    assert stored(ws).config == replace(small, input_size=None)
    write_atomic(ws.draft(LOCAL_OWNER), to_json(Draft(data=pets, model=model, preset="custom", config=small)))  # changed by hand
    page = visit("train.py")
    assert trouble(page) == []
    page.button(key="recipe.next").click().run()
    assert trouble(page) == [] and len(list_runs(ws, LOCAL_OWNER)) == 1


def test_a_run_that_failed_says_why_and_can_be_run_again(lived_in: Workspace, visit: Visit) -> None:
    page = visit("train.py", run=FAILED)
    assert "The disk is full" in said(page) and "Your data is safe." in said(page)
    page.button(key="recipe.next").click().run()
    assert [title.value for title in page.title] == ["Train"]
    draft, before = stored(lived_in), load_run(lived_in, FAILED, LOCAL_OWNER)
    assert (draft.data, draft.model, draft.plan, draft.config) == (before.data, before.model.key, before.plan, before.config)


@pytest.mark.parametrize("run, text, button", [(DISCARDED, "This run was discarded. It can be taken back for 7 days.", "Take it back"),
                                               (INTERRUPTED, "Interrupted: Its process was ended from outside.", "Resume")])
def test_a_run_that_rests_or_was_discarded_says_why_and_goes_on(lived_in: Workspace, visit: Visit, run: str, text: str, button: str) -> None:
    page = visit("train.py", run=run)
    assert text in said(page) and page.button(key="recipe.next").label == button
    page.button(key="recipe.next").click().run()
    assert state_of(lived_in.run(run)) == "queued" and "queued" in title_of(page) and trouble(page) == []


def test_an_interrupted_run_says_whether_it_goes_on_by_itself(lived_in: Workspace, visit: Visit) -> None:
    folder = lived_in.run(INTERRUPTED)
    assert "It goes on by itself in a moment." in said(visit("train.py", run=INTERRUPTED))
    set_options(lived_in, Options(retries=0))
    assert "the training begins anew when it is resumed" in said(visit("train.py", run=INTERRUPTED))
    append(folder, events.Saved(4, 130))
    assert "it is saved at epoch 5, step 130" in said(visit("train.py", run=INTERRUPTED))


@pytest.mark.parametrize("why, text", [("", "Paused. The machine is free for other runs."), (DISK_FULL, "The disk is full. Nothing is lost")])
def test_a_paused_run_says_why(lived_in: Workspace, visit: Visit, why: str, text: str) -> None:
    left_as(lived_in.run(QUEUED), "paused", why)
    page = visit("train.py", run=QUEUED)
    assert text in said(page) and bool(page.warning) == bool(why) and trouble(page) == []


def test_a_failed_run_goes_on_where_what_ended_it_may_be_gone(lived_in: Workspace, visit: Visit) -> None:
    (lived_in.run(FAILED) / LAST).touch()
    assert visit("train.py", run=FAILED).button(key="recipe.next").label == "Resume"
    append(lived_in.run(FAILED), events.Failed("The loss is no longer a number.", "", "", kind="nan"))
    assert visit("train.py", run=FAILED).button(key="recipe.next").label == "Run it again"


def test_an_ended_run_leads_to_its_results_and_has_nothing_to_stop(lived_in: Workspace, visit: Visit) -> None:
    page = visit("train.py", run=ENDED)
    assert "finished" in title_of(page) and not [button.key for button in page.button if button.key.startswith("live.")]
    page.button(key="recipe.next").click().run()
    assert page.query_params["run"] == ENDED and page.metric


@pytest.mark.parametrize("button, wish", [("live.pause", "pause"), ("live.keep", "keep"), ("live.discard", "discard")])
def test_a_run_at_work_can_be_asked_to_end(lived_in: Workspace, visit: Visit, button: str, wish: str) -> None:
    folder = lived_in.run(QUEUED)
    worked_on(folder, this_process(), "running")
    page = visit("train.py", run=QUEUED)
    assert wish_of(folder) == "go"
    page.button(key=button).click().run()
    assert wish_of(folder) == wish and state_of(folder) == "running" and trouble(page) == []
    assert not [button.key for button in page.button if button.key.startswith(("live.", "menu"))] and "…" in markdown(page)


@pytest.mark.parametrize("button, becomes", [("live.leave", "paused"), ("live.discard", "discarded")])
def test_a_waiting_run_leaves_the_queue(lived_in: Workspace, visit: Visit, button: str, becomes: str) -> None:
    page = visit("train.py", run=QUEUED)
    assert "Next in the queue" in said(page) or "before you" in said(page)
    page.button(key=button).click().run()
    assert state_of(lived_in.run(QUEUED)) == becomes and becomes in title_of(page) and trouble(page) == []


def watched_to_the_end(ws: Workspace, visit: Visit) -> AppTest:
    """The page after a run that it showed as running has ended."""
    folder = ws.run(ENDED)
    ending = (folder / "exit.json").read_bytes()
    (folder / "exit.json").unlink()
    worked_on(folder, this_process(), "running")
    page = visit("train.py", run=ENDED)
    assert "running" in title_of(page) and page.button(key="recipe.next").disabled
    write_atomic(folder / "exit.json", ending)
    return page.run()


def test_one_who_was_interrupted_on_the_way_to_try_it_is_led_there_again(lived_in: Workspace, visit: Visit) -> None:
    page = watched_to_the_end(lived_in, visit)
    assert title_of(page).startswith("# Try it")
    assert title_of(page.switch_page("train.py").run()).startswith("# Try it")


def test_the_one_who_watched_a_run_end_is_led_to_try_it_once(lived_in: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LEAD_AGAIN_S", 0)
    page = watched_to_the_end(lived_in, visit)
    assert title_of(page).startswith("# Try it")
    page.switch_page("train.py").run()
    assert "finished" in title_of(page)  # looking at the curves again leads nowhere
    assert "finished" in title_of(visit("train.py", run=ENDED))  # nor does a look from another tab


def test_a_discarded_run_leads_nowhere(lived_in: Workspace, visit: Visit) -> None:
    page = visit("train.py", run=QUEUED)
    append(lived_in.run(QUEUED), events.Discarded())
    left_as(lived_in.run(QUEUED), "discarded")
    page.run()
    assert "discarded" in title_of(page) and trouble(page) == []


def test_the_curves_are_told_what_the_log_does_not_say(lived_in: Workspace, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict] = []
    monkeypatch.setattr(live, "live_curves", lambda url, *, key, state, text: told.append({"url": url, "text": text, **state}))
    for run in (QUEUED, ENDED, DISCARDED, INTERRUPTED):
        visit("train.py", run=run)
    assert [state["status"] for state in told] == ["queued", "ended", "ended", "interrupted"]
    assert told[1]["name"] == "pets-1" and told[1]["patience"] == TINY.patience and ENDED in told[1]["url"]


def test_what_runs_now_stands_at_the_foot_of_every_page(lived_in: Workspace, visit: Visit) -> None:
    page = visit("settings.py")
    assert [link.proto.query_string for link in page.sidebar.page_link] == [f"run={QUEUED}"]


@pytest.mark.parametrize("key", [ENDED, DISCARDED, QUEUED])
def test_a_run_whose_model_is_gone_can_still_be_looked_at(lived_in: Workspace, visit: Visit, key: str) -> None:
    path = lived_in.run(key) / "run.json"
    run = from_json(RunSpec, path.read_bytes())
    write_atomic(path, to_json(replace(run, model=ModelSpec("words:gone"))))
    page = visit("train.py", run=key)
    assert trouble(page) == [] and run.name in said(page)
