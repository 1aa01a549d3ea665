"""From a source to a dataset: every file read once, checked, kept under the hash of its content.

What comes in waits in a staging folder and moves into the workspace only when the whole import is good, so a refused or
interrupted one leaves nothing behind and can't touch another dataset.
"""
from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.data.facts import Facts, joined, load_facts
from core.data.intake.collected import Collected, Found, OnStage, Progress, silent
from core.data.intake.layout import Place
from core.data.intake.make_version import extended, first_version
from core.data.intake.manifest import read_manifest
from core.data.intake.pasted import pasted_table
from core.data.intake.publish import publish_change, publish_dataset, staged
from core.data.intake.read_texts import Kept, open_tables, read_tables
from core.data.intake.route import collect
from core.data.intake.sources import Entry, Limits, Listing, Source, path_source
from core.data.likeness.languages import languages
from core.data.likeness.near import near_pictures, near_texts
from core.data.limits import load_limits
from core.data.samples.sets import SAMPLES, files
from core.data.texts import NAME as TEXTS
from core.data.texts import load_texts, read_texts, write_texts
from core.data.versions import Rejected, TableChoice, TableSource, Version, list_datasets, load_dataset, load_version, spec_of, version_key
from core.errors import DataError
from core.specs import DataSpec
from core.workspace import Workspace, new_id

ADDED = "{n} items added"
"""A template of the translation catalogue."""
ADDED_ONE = "1 item added"
"""A key of the translation catalogue."""
ADDED_SOME = "{n} items added; {m} were there already"
"""A template of the translation catalogue."""
REREAD = "Read again with other columns"
"""A key of the translation catalogue."""


def import_source(ws: Workspace, source: Source, *, name: str, owner: str, progress: Progress, sample: str = "",
                  limits: Limits | None = None, staging: Path | None = None, left_out: Sequence[Rejected] = (),
                  choice: TableChoice = TableChoice(), into: str = "", on_stage: OnStage = silent) -> DataSpec:
    """Make a dataset of labeled pictures or texts; the same content again gives the dataset that is there already.

    Unreadable files and rows are left out and named in the version, with those that were `left_out` before. `limits`: by default those
    of the workspace. `staging`: a folder on the workspace's disk that is made for this import and gone after it; by default one among
    the uploads. `choice`: how tables are read, what is empty is found. `into`: the id of a dataset of the owner; what came is added to it
    as its next version. `on_stage`: called when another stage begins. Raises `DataError` when the files can't be used; then nothing
    is kept.
    """
    base = spec_of(ws, load_dataset(ws, into, owner)) if into else None
    if base and not choice.objective:
        choice = replace(choice, objective=base.objective)
    with staged(staging or ws.upload(new_id())) as folder:
        collected = collect(source, folder, limits or load_limits(ws), progress, choice, least=1 if into else 2)
        if base:
            return _add(ws, folder, base, owner, collected, left_out, on_stage)
        collected = replace(collected, facts=_with_near(ws, folder, collected, on_stage))
        version = first_version(collected, left_out)
        return _same(ws, owner, version) or publish_dataset(ws, folder, name, owner, version, collected.facts, sample)


def import_path(ws: Workspace, path: Path, *, name: str, owner: str, progress: Progress, staging: Path | None = None,
                choice: TableChoice = TableChoice(), into: str = "", on_stage: OnStage = silent) -> DataSpec:
    """Import a folder, an archive or a table of this machine. Raises `DataError`."""
    limits = load_limits(ws)
    with closing(path_source(path, limits)) as source:
        return import_source(ws, source, name=name, owner=owner, progress=progress, limits=limits, staging=staging, choice=choice,
                             into=into, on_stage=on_stage)


def import_tables(ws: Workspace, train: Path, test: Path, *, name: str, owner: str, progress: Progress,
                  choice: TableChoice = TableChoice()) -> DataSpec:
    """Import one table to learn from (a part of it is held back for validation) and one to test with. Raises `DataError`."""
    missing = next((path for path in (train, test) if not path.is_file()), None)
    if missing:
        raise DataError("This table is not there.", "{file} does not exist, or it is a folder.", "Name two tables: one to learn from, one to test with.",
                        file=str(missing))
    entries = tuple(Entry(f"{side}{path.suffix}", path.stat().st_size, partial(path.open, "rb")) for side, path in (("train", train), ("test", test)))
    return import_source(ws, Listing(name, entries), name=name, owner=owner, progress=progress, choice=choice)


def import_paste(ws: Workspace, text: str, *, name: str, owner: str, progress: Progress, staging: Path | None = None,
                 choice: TableChoice = TableChoice(), into: str = "", on_stage: OnStage = silent) -> DataSpec:
    """Import pasted lines, "label, text" with a tab or a comma, or a whole table with its header. Raises `DataError`."""
    data = pasted_table(text)
    entry = Entry("pasted.csv", len(data), partial(io.BytesIO, data))
    return import_source(ws, Listing(name, (entry,)), name=name, owner=owner, progress=progress, staging=staging, choice=choice, into=into,
                         on_stage=on_stage)


def reread(ws: Workspace, data: DataSpec, owner: str, choice: TableChoice, progress: Progress, staging: Path | None = None,
           on_stage: OnStage = silent) -> DataSpec:
    """Read the tables of a dataset again, with other columns or another encoding, as its next version. Edits made since are not in it.

    Raises `DataError` when it came from no table, or when the table can't be read that way.
    """
    load_dataset(ws, data.dataset, owner)  # only the owner may
    old = load_version(ws, data)
    if old.table is None:
        raise DataError("This dataset came from no table.", "Only tables can be read again with other columns.", "Import the files again.")
    kept = [Kept(name, ws.blob(sha), sha) for name, sha in old.table.files]
    with staged(staging or ws.upload(new_id())) as folder:
        limits = load_limits(ws)
        if old.task == "text":
            collected = read_tables(kept, folder, limits, progress, choice)
        else:
            collected = _relabeled(old, kept, limits, choice)
        facts = _joined(ws, folder, data.dataset, collected, on_stage)
        version = first_version(replace(collected, facts=facts), ())
        return publish_change(ws, folder, data, owner, version, facts, REREAD)


def import_sample(ws: Workspace, key: str, owner: str, progress: Progress, *, name: str = "", staging: Path | None = None,
                  on_stage: OnStage = silent) -> DataSpec:
    """The owner's copy of a sample set, made under `name` (its English title by default) when it is not there yet.

    Raises `NotFound` for an unknown key.
    """
    present = next((dataset for dataset in list_datasets(ws, owner) if dataset.sample == key), None)
    if present:
        return spec_of(ws, present)
    made: list[Entry] = []
    for label, file, data in files(key):
        made.append(Entry(f"{label}/{file}", len(data), partial(io.BytesIO, data)))
        progress(len(made), 2 * SAMPLES[key].n_items)  # making them is one half of the way, reading them the other
    name = name or SAMPLES[key].title
    return import_source(ws, Listing(name, tuple(made)), name=name, owner=owner, sample=key, staging=staging, on_stage=on_stage,
                         progress=lambda done, total: progress(len(made) + done, len(made) + total))


def _add(ws: Workspace, staging: Path, base: DataSpec, owner: str, collected: Collected, left_out: Sequence[Rejected],
         on_stage: OnStage) -> DataSpec:
    old = load_version(ws, base)
    if collected.task == old.task:  # of another kind it is refused below
        facts = _joined(ws, staging, base.dataset, collected, on_stage)
    else:
        facts = Facts()
    version, n_present = extended(old, collected, left_out, facts)
    n = len(version.items) - len(old.items)
    if n_present:
        return publish_change(ws, staging, base, owner, version, facts, ADDED_SOME, n=n, m=n_present)
    return publish_change(ws, staging, base, owner, version, facts, ADDED_ONE if n == 1 else ADDED, n=n)


def _relabeled(old: Version, kept: Sequence[Kept], limits: Limits, choice: TableChoice) -> Collected:
    """The pictures of a version with the labels of another column."""
    tables, rejected = open_tables(kept, choice.encoding, limits)
    manifest = read_manifest([item.name for item in old.items], tables, choice)
    if manifest is None:
        raise DataError("“{file}” names too few of the pictures.", "No column of it holds the names of most pictures, such as {example}.",
                        "Choose the column with the pictures' file names.", file=kept[0].name, example=old.items[0].name[-80:])
    found = tuple(Found(place, item.sha, item.width, item.height) for item, place in zip(old.items, manifest.layout.places)
                  if isinstance(place, Place))
    lost = tuple(place for place in manifest.layout.places if isinstance(place, Rejected))
    source = TableSource(tuple((one.name, one.sha) for one in kept), manifest.columns, manifest.choice)
    return Collected("image", found, (*rejected, *lost, *manifest.left_out), manifest.layout.fixed_splits, Facts(), source, manifest.reading)


def _joined(ws: Workspace, staging: Path, dataset_id: str, collected: Collected, on_stage: OnStage) -> Facts:
    """What is known of a dataset's content with what was collected; staged texts get those of the dataset beside them."""
    old = load_facts(ws, dataset_id)
    if collected.task == "text":
        write_texts(staging / TEXTS, load_texts(ws, dataset_id) | read_texts(staging / TEXTS))
    union = replace(collected, facts=replace(collected.facts, phash=old.phash | collected.facts.phash))
    return joined(old, _with_near(ws, staging, union, on_stage))


def _with_near(ws: Workspace, staging: Path, collected: Collected, on_stage: OnStage) -> Facts:
    on_stage("comparing")
    facts = collected.facts
    if collected.task == "text":
        texts = read_texts(staging / TEXTS)
        return replace(facts, near=near_texts(texts), language=languages(texts))

    def thumbnail(sha: str) -> bytes:
        new = staging / f"{sha}.jpg"
        return (new if new.is_file() else ws.thumb(sha)).read_bytes()
    return replace(facts, near=near_pictures(facts.phash, thumbnail))


def _same(ws: Workspace, owner: str, version: Version) -> DataSpec | None:
    key = version_key(version)
    dataset = next((dataset for dataset in list_datasets(ws, owner) if key in dataset.versions), None)
    return DataSpec(dataset.id, key, version.task, version.objective) if dataset else None
