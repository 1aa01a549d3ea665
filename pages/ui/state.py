"""What this browser session is looking at. The only user of `st.session_state`; everything durable is on disk."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from core.data.versions import Version, load_dataset, load_version
from core.errors import UserError
from core.models.catalog import DEFAULT, find, known, on_this_machine
from core.models.from_runs import key_of
from core.models.rows import ModelRow
from core.owners import owner_of
from core.specs import DataSpec, FreezePlan, PresetKey, RunSpec, TrainConfig, from_json, to_json
from core.tasks.registry import TASKS
from core.training.estimate import ItemCost
from core.training.presets import PRESETS, preset_config, preset_plan
from core.workspace import Workspace, new_id, write_atomic


@dataclass(frozen=True, slots=True)
class Draft:
    """The run that is being prepared. `plan` and `config` are None while they are the preset's."""
    data: DataSpec | None = None
    model: str = DEFAULT
    pretrained: bool = True
    """False only when a run from random weights, made on the command line, is prepared again."""
    preset: PresetKey = "instant"
    plan: FreezePlan | None = None
    config: TrainConfig | None = None
    language: str = ""
    upload: str = ""
    """The id of the upload that is being filled: one that broke off goes on in a new session."""
    collect: str = ""
    """The same for pictures that are collected label by label."""
    vectors: str = ""
    """The same for a file of word vectors."""
    checkpoint: str = ""
    """The same for a checkpoint file."""
    request: str = ""
    """The id that the next run will get: pressing the button twice makes one run."""

    def actual_plan(self) -> FreezePlan:
        return self.plan or preset_plan(find(self.model, workspace()), self.preset)

    def actual_config(self) -> TrainConfig:
        return self.config or preset_config(find(self.model, workspace()), self.preset)


def workspace() -> Workspace:
    return Workspace.open()


def owner() -> str | None:
    """The person behind this browser; None when the app is shared and they have not joined yet."""
    return owner_of(workspace(), st.context.cookies)


def me() -> str:
    """The owner, for pages: the router lets nobody without one pass."""
    who = owner()
    assert who, "the router stops visitors without an owner"
    return who


def draft() -> Draft:
    """The session's draft; a new session takes up the one its owner left."""
    if "draft" not in st.session_state:
        st.session_state["draft"] = _stored_draft()
    elif not _is_known(st.session_state["draft"].model):  # deleted since
        st.session_state["draft"] = _without_model(st.session_state["draft"])
    return st.session_state["draft"]


def update(**changes: Any) -> Draft:
    """Change the draft here and on disk."""
    new = _fitting(replace(draft(), **changes))
    if new != draft():
        st.session_state["draft"] = new
        write_atomic(workspace().draft(me()), to_json(new))
    return new


def _is_known(key: str) -> bool:
    return known(key, workspace()) is not None


def _without_model(left: Draft) -> Draft:
    """A draft whose model is gone takes the one to begin with; its plan went with it."""
    return replace(left, model=TASKS[left.data.task].default_model if left.data else DEFAULT, plan=None)


def _fitting(new: Draft) -> Draft:
    """A draft whose model learns from its kind of data: other data than before may want another model, with settings of its own."""
    if new.data is None or find(new.model, workspace()).task == new.data.task:
        return new
    return replace(new, model=TASKS[new.data.task].default_model, pretrained=True, plan=None, config=None,
                   preset=new.preset if new.preset in PRESETS else "instant")


def _stored_draft() -> Draft:
    fresh = Draft(request=new_id())
    path = workspace().draft(me())
    if not path.is_file():
        return fresh
    try:
        stored = from_json(Draft, path.read_bytes())
    except UserError:  # another version wrote it
        return fresh
    try:
        if stored.data:
            load_dataset(workspace(), stored.data.dataset, me())
            read_version(stored.data)
    except UserError:  # the data is gone: begin anew
        return replace(fresh, language=stored.language)
    if not _is_known(stored.model):
        stored = _without_model(stored)
    return replace(stored, request=stored.request or new_id())


def choose_model(key: str) -> None:
    """Another model has blocks and an input size of its own; settings changed by hand stay where it is of the same kind, else they are
    its preset's."""
    now, ws = draft(), workspace()
    alike = find(key, ws, me()).adapter == find(now.model, ws).adapter
    kept = now.config if alike else None
    update(model=key, pretrained=True, plan=None, config=replace(kept, input_size=None, max_tokens=None) if kept else None,
           preset=now.preset if alike or now.preset in PRESETS else "instant")


def begin_from(run: RunSpec) -> None:
    """Prepare a run that starts where another one ended, on the draft's data, or where that is of another kind on the run's."""
    now = draft()
    if now.data is None or now.data.task != run.data.task:
        update(data=run.data)
    choose_model(key_of(run.id))


def choose_preset(preset: PresetKey) -> None:
    """A preset sets the freezing and all settings; edits of both are replaced."""
    update(preset=preset, plan=None, config=None)
    bump("settings")


def version() -> Version | None:
    """The draft's data, read once a session and kept while it is the same."""
    spec = draft().data
    return read_version(spec) if spec else None


@st.cache_resource(max_entries=8, show_spinner=False)
def read_version(spec: DataSpec) -> Version:
    """A version never changes, so all sessions share the one that was read; a copy for each would cost as much as reading."""
    return load_version(workspace(), spec)


def item_cost(row: ModelRow, config: TrainConfig, data: DataSpec | None = None) -> ItemCost:
    """What an item of the data (else of the draft's data) costs with a model; nothing is known of it without data."""
    data = data or draft().data
    return _item_cost(row.key, config, data, on_this_machine(row)) if data and data.task == row.task else ItemCost()


@st.cache_data(max_entries=256, show_spinner=False)
def _item_cost(key: str, config: TrainConfig, data: DataSpec, here: bool) -> ItemCost:
    """`here`: the model is on this machine, which tells more of what an item is for it."""
    return TASKS[data.task].facts().cost(workspace(), find(key, workspace()), config, data, read_version(data))


def run_id() -> str | None:
    """The run in the URL, else the one looked at last. A page that found it to be the reader's own says so by `look_at`: another
    one would be asked for, and refused, again and again."""
    return st.query_params.get("run") or st.session_state.get("run")


def look_at(run: str) -> None:
    st.session_state["run"] = run


def bump(name: str) -> None:
    """Give the widgets of a form new keys, so that they take new defaults."""
    st.session_state[f"rev.{name}"] = rev(name) + 1


def rev(name: str) -> int:
    return st.session_state.get(f"rev.{name}", 0)


def get(key: str, default: Any = None) -> Any:
    return st.session_state.get(key, default)


def put(key: str, value: Any) -> None:
    st.session_state[key] = value


def take(key: str) -> Any:
    """Read a value once."""
    return st.session_state.pop(key, None)


def chosen_language() -> str:
    """Empty until the reader has chosen one. Asked for every text of a page, so it opens no file once the draft is there."""
    if "draft" in st.session_state:
        return st.session_state["draft"].language
    try:
        who = owner()
    except UserError:  # the workspace can't say who asks: that is told in the browser's language
        return ""
    return draft().language if who else ""
