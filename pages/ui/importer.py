"""Bringing data in: the drop zone, sample sets, and the progress of an import that runs in a process of its own."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

import streamlit as st

from core.data.samples.sets import SAMPLES
from core.data.versions import Rejected, TableChoice
from core.errors import DataError, NotFound, UserError
from core.jobs import import_job
from core.specs import DataSpec
from core.tasks.registry import TASKS
from core.workspace import new_id
from pages.routes import inbox
from pages.routes.tokens import mint
from pages.ui import state
from pages.ui.components.upload import upload
from pages.ui.errors import show_error
from pages.ui.fragments import fragment_of
from pages.ui.i18n import _


def drop_zone(place: str, into: str = "") -> None:
    """Take a folder or files; when they have arrived, start reading them. `into`: the id of a dataset that they are added to."""
    upload_id = inbox_id("upload")
    token = mint(state.workspace(), state.me(), "upload", upload=upload_id)
    done = upload(token, key=f"{place}.upload.{upload_id}.{refusals()}")
    if done and done.n:
        begin(upload_id, name=done.name or _("my data"), left_out=done.failed, **({"into": into} if into else {}))


def inbox_id(kind: Literal["upload", "collect", "vectors", "checkpoint"]) -> str:
    """The upload that the owner's draft is filling; another one when that has been taken for an import, here or in another tab."""
    upload_id: str = getattr(state.draft(), kind)
    if not upload_id or inbox.taken(state.workspace(), upload_id):
        upload_id = new_id()
        state.update(**{kind: upload_id})
    return upload_id


def begin(upload_id: str, *, folders: Mapping[str, str] | None = None, **asked: Any) -> None:
    """Import what the upload brought (see `import_job.start`) and run the page again, which shows the progress. Of two tabs that
    brought the same, the later one only watches. `folders`: what its top folders are called, when others are not to be kept.

    An import that can't begin, as on a full disk, leaves the upload open, and the page says why (see `last_error`)."""
    if inbox.take(state.workspace(), upload_id):
        try:
            if folders:
                inbox.name_folders(state.workspace(), upload_id, folders)
            _begin(upload_id, **asked)
        except (OSError, UserError) as error:
            inbox.release(state.workspace(), upload_id)
            state.put("import.refusals", refusals() + 1)
            _failed(error if isinstance(error, UserError) else _not_begun(error))
    _watch(upload_id)


def refusals() -> int:
    """How many imports could not begin. Part of the keys of what brings data: the browser's part has done its work and rests, and a
    new one takes up what is still there."""
    n: int = state.get("import.refusals", 0)
    return n


def collecting() -> bool:
    """Pictures collected label by label have arrived and wait to be used: after a reload they are shown first."""
    ws, upload_id = state.workspace(), state.draft().collect
    return bool(upload_id) and (ws.upload(upload_id) / "names.jsonl").is_file() and not inbox.taken(ws, upload_id)


def begin_sample(key: str) -> None:
    upload_id = new_id()
    _begin(upload_id, name=_(SAMPLES[key].title).lower(), sample=key)
    _watch(upload_id, key)


def begin_paste(text: str) -> None:
    state.put("pasted", text)  # it may exist nowhere else: after a failure it stands in its field again
    _instead(name=_("pasted texts"), paste=text)


def begin_path(path: Path) -> None:
    """A folder or file of this machine; the caller has checked that it may be read."""
    _instead(name=path.name or str(path), path=str(path))


def begin_reread(data: DataSpec, choice: TableChoice) -> None:
    """The tables of a dataset once more, read in another way."""
    _instead(name="", reread=data, choice=choice)


def _instead(**asked: Any) -> None:
    """An import without an upload."""
    upload_id = new_id()
    _begin(upload_id, **asked)
    _watch(upload_id)


def _begin(upload_id: str, *, sample: str = "", left_out: Sequence[Rejected] = (), **asked: Any) -> None:
    """Raises `DataError` when the disk or the system does not let it begin."""
    try:
        import_job.start(state.workspace(), upload_id, owner=state.me(), sample=sample, left_out=left_out, **asked)
    except OSError as error:
        raise _not_begun(error) from error


def _not_begun(error: OSError) -> DataError:
    return DataError("The import could not begin.", "The system says: {reason}",
                     "What you brought is still here. Free some space, then try again.", reason=error.strerror or str(error))


def _failed(error: UserError, kept: str = "") -> NoReturn:
    """Run the page again, which shows why. `kept`: the id of an import that can be tried again."""
    state.put("import.error", error)
    state.put("import.kept", kept)
    st.rerun()


def _watch(upload_id: str, sample: str = "") -> None:
    state.put("importing", upload_id)
    state.take("import.error")
    state.put("importing.sample", sample)
    st.rerun()


def busy() -> bool:
    """An import is under way, and its progress should stand where the drop zone was."""
    return bool(state.get("importing"))


def last_error() -> None:
    error, kept = state.get("import.error"), state.get("import.kept")
    if error:
        show_error(error)
    if error and kept and st.button(_("Try again"), icon=":material/refresh:", key="import.again", help=_("What you collected is still here.")):
        try:
            import_job.again(state.workspace(), kept)
        except NotFound as gone:  # what nobody imports is removed after a day
            _failed(gone)
        except OSError as refused:
            _failed(_not_begun(refused), kept)
        _watch(kept)


def progress(page: str) -> None:
    """How far the import is; leads on when it has ended. `page`: the one that shows it."""
    fragment_of(page, _progress, run_every=0.3)()


def _bar(now: import_job.ImportStatus) -> None:
    if now.stage == "comparing":  # it has no count
        text = _("Looking for near-copies …")
    elif now.total:
        text = _("Reading {done} of {total}", done=f"{now.done:,}", total=f"{now.total:,}")
    else:
        text = _("Getting ready …")
    st.progress(now.done / now.total if now.total else 0.0, text=text)


def _progress() -> None:
    upload_id = state.get("importing")
    if not upload_id:
        return
    try:
        now = import_job.status(state.workspace(), upload_id)
    except UserError as error:  # a fragment that reruns by itself has no page around it that would explain an error
        state.take("importing")
        _failed(error)
    if now.state == "running":
        _bar(now)
        if st.button(_("Cancel"), key="import.cancel"):
            if not import_job.cancel(state.workspace(), upload_id):  # else its status says that it can be tried again
                state.take("importing")
            st.rerun()
        return
    state.take("importing")
    if now.error:
        _failed(now.error, upload_id if now.kept else "")
    assert now.data is not None, "an import that has ended is done, or it says why it failed"
    _arrived(now.data)


def _arrived(data: DataSpec) -> None:
    state.update(data=data)
    state.take("pasted")
    sample = state.take("importing.sample")
    if sample:
        state.choose_model(TASKS[data.task].default_model)  # a first run needs no download
        state.choose_preset("instant")
    st.switch_page("train.py" if sample else "data.py")
