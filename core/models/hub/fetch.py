"""Fetching a model from the Hugging Face Hub into the libraries' own cache: the needed files only, checked, with progress in bytes."""
from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from urllib.parse import urlsplit

from core.errors import ModelError
from core.models.hub.checkpoint import (
    CONFIG,
    PREPROCESSOR,
    Checkpoint,
    check_config,
    checkpoint,
    companions_among,
    of_pictures,
    weights_among,
)
from core.models.hub.configs import folder_of
from core.models.hub.local import (
    MAIN,
    check_id,
    endpoint,
    hub_folder,
    located,
    near_ids,
    offline,
    ready_ids,
    repo_folder,
    snapshot,
    snapshots,
)
from core.models.hub.network import reachable
from core.models.rows import ModelRow
from core.workspace import write_atomic

Progress = Callable[[int, int], None]
"""Called with (done_bytes, total_bytes) over all files; may raise to give up."""
Check = Callable[[Path, str], None]
"""Called with a model's config.json and its id; raises `ModelError` when it is of no use."""

CHUNK_BYTES = 1 << 18
SPARE_BYTES = 50 << 20
ANSWER_S = 20.0
"""For the list of a model's files: the library by itself would wait for ever."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """`sha`: the SHA-256 of a large file's content (64 digits), or the Git id of a small one's (40); empty when the hub tells neither."""
    name: str
    size: int
    sha: str


def fetch(repo: str, progress: Progress | None = None, known: Iterable[str] = (), check: Check | None = None) -> Path:
    """The folder of a model on this machine, fetched when it is not in the cache. Raises `ModelError` as `download` does."""
    repo = check_id(repo, known)
    return snapshot(repo) or download(repo, progress or (lambda done, total: None), known, check)


def download(repo: str, progress: Progress, known: Iterable[str] = (), check: Check | None = None) -> Path:
    """Fetch the newest version of a model into the cache and return its folder. What is there already is not fetched again.

    `progress` may raise to give up; whatever ends a download, the cache holds whole files only. `known`: ids to suggest when this one
    does not exist. `check` is asked before anything large is fetched. Raises `ModelError` when there is no network
    (known after at most 3 s), no such model, no permission, nothing that Graft can use, no room on the disk, or when a file arrives damaged.
    """
    if offline() or not reachable(endpoint(), all_proxy=True):
        raise _no_network(repo, check)
    library, meter = _library(), Meter(progress)
    try:
        commit, files = _listing(library, repo)
        meter.total = sum(file.size for file in files)
        _check_room(sum(file.size for file in files if not (repo_folder(repo) / "snapshots" / commit / file.name).exists()))
        for file in files:
            path = _fetch(library, repo, commit, file, meter)
            if file.name == CONFIG:
                check_config(path, repo)  # before anything large is fetched
                if check:
                    check(path, repo)
        write_atomic(repo_folder(repo) / "refs" / MAIN, commit.encode())  # last, so that it never names half a model
    except (OSError, ValueError, library.errors.HTTPError) as error:
        if error is meter.given_up:
            raise
        raise _explained(library, repo, error, known) from error
    folder = repo_folder(repo) / "snapshots" / commit
    checkpoint(folder)
    return folder


class Meter:
    """Adds up the bytes of all files for `progress`."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.total, self.done, self.of_file = progress, 0, 0, 0
        self.given_up: BaseException | None = None

    def add(self, n_bytes: int) -> None:
        """So many bytes of the present file have come; fewer than none when it begins anew."""
        self.of_file += n_bytes
        self._tell()

    def end_file(self, size: int) -> None:
        self.done, self.of_file = self.done + size, 0
        self._tell()

    def _tell(self) -> None:
        try:
            self.progress(min(self.done + self.of_file, self.total), self.total)
        except BaseException as error:
            self.given_up = error
            raise


def _bar(meter: Meter) -> type:
    """What huggingface_hub takes for its progress bar."""
    class Bar:
        def __init__(self, *_: object, initial: int = 0, **__: object) -> None:
            meter.add(initial)

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
            return None

        def update(self, n: float | None = 1) -> None:
            meter.add(int(n or 0))

        def close(self) -> None:
            return None
    return Bar


def _library() -> ModuleType:
    """huggingface_hub, set to the environment as it is now."""
    import huggingface_hub
    import huggingface_hub.errors
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = offline()
    constants.HF_HUB_DISABLE_TELEMETRY = True  # with it, the library asks the hub for a list that has nothing to do with the model
    constants.HF_HUB_DISABLE_XET = True  # plain HTTP heeds HF_ENDPOINT and the proxies, and can be given up at any moment
    constants.DOWNLOAD_CHUNK_SIZE = CHUNK_BYTES  # by default 10 MB pass between two words about the progress
    return huggingface_hub


def _listing(library: ModuleType, repo: str) -> tuple[str, list[RemoteFile]]:
    """The newest version of a model and its needed files: config first, weights last. Raises `ModelError` when it has none of use."""
    info = library.HfApi(endpoint=endpoint(), library_name="graft").model_info(repo, files_metadata=True, timeout=ANSWER_S)
    rows = {row.rfilename: row for row in info.siblings or ()}
    if CONFIG not in rows:
        raise ModelError("The model {model} can't be used.", "It holds no config.json.",
                         "Choose a model that is made for transformers: its page says so.", model=repo)
    files = {name: RemoteFile(name, row.size or 0, row.lfs.sha256 if row.lfs else row.blob_id or "") for name, row in rows.items()}
    wanted = [CONFIG, *_companions(library, repo, info.sha, files), *weights_among(files, repo)[1]]
    return info.sha, [files[name] for name in wanted]


def _companions(library: ModuleType, repo: str, commit: str, files: dict[str, RemoteFile]) -> list[str]:
    """What a model needs besides config and weights. Only where its files' names don't tell whether it reads texts or looks at pictures,
    its config.json is fetched for that."""
    try:
        return companions_among(files, repo, PREPROCESSOR in files)
    except ModelError:
        config = _fetch(library, repo, commit, files[CONFIG], Meter(lambda done, total: None))
        check_config(config, repo)
        return companions_among(files, repo, of_pictures(json.loads(config.read_bytes())))


def _fetch(library: ModuleType, repo: str, commit: str, file: RemoteFile, meter: Meter) -> Path:
    """One file in the cache, checked. huggingface_hub itself looks at nothing but the length."""
    there = repo_folder(repo) / "snapshots" / commit / file.name
    is_new = not there.exists()
    path = Path(library.hf_hub_download(repo, file.name, revision=commit, cache_dir=hub_folder(), endpoint=endpoint(), library_name="graft",
                                        tqdm_class=_bar(meter)))
    if is_new and not _is_sound(path, file.sha):
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise ValueError(f"{file.name}: its checksum is wrong")
    meter.end_file(file.size)
    return path


def _is_sound(path: Path, sha: str) -> bool:
    if len(sha) not in (40, 64):
        return True
    digest = hashlib.sha256() if len(sha) == 64 else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == sha


def _check_room(needed: int) -> None:
    """Raise `OSError` when the disk of the cache has less room than that."""
    folder = hub_folder()
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < needed + SPARE_BYTES:
        raise OSError(errno.ENOSPC, "No space left on device")


def _no_network(repo: str, check: Check | None) -> ModelError:
    """Says what to put where, and which models that `check` accepts are here. A copy in the cache that is no use with a network either is
    explained instead."""
    copies, known = snapshots(repo), [other for other in ready_ids() if check is None or _passes(check, other)]
    if copies and (copies[0] / CONFIG).is_file():
        check_config(copies[0] / CONFIG, repo)
    return ModelError(
        "No network: the model {model} can't be fetched.",
        "It is not on this machine, or not complete, and HF_HUB_OFFLINE forbids Graft to look for it." if offline() else
        "Its copy on this machine is not complete, and {host} does not answer." if copies else
        "It is not on this machine, and {host} does not answer.",
        "Put config.json, the weights (model.safetensors, else pytorch_model.bin) and what goes with them (for texts tokenizer.json, else "
        "vocab.txt, spm.model and the like; for pictures preprocessor_config.json) from its page into {dir}, or choose a folder that holds "
        "them, or a ready model: {ready}." if known else
        "Put config.json, the weights (model.safetensors, else pytorch_model.bin) and what goes with them (for texts tokenizer.json, else "
        "vocab.txt, spm.model and the like; for pictures preprocessor_config.json) from its page into {dir}, or choose a folder that holds "
        "them.",
        model=repo, host=_host(), ready=", ".join(known), dir=str(copies[0] if copies else repo_folder(repo) / "snapshots" / MAIN))


def _passes(check: Check, repo: str) -> bool:
    try:
        check(located(repo).config, repo)
    except ModelError:
        return False
    return True


def _explained(library: ModuleType, repo: str, error: Exception, known: Iterable[str]) -> ModelError:
    errors, params = library.errors, {"model": repo, "host": _host(), "page": f"{endpoint()}/{repo}"}
    status = error.response.status_code if isinstance(error, errors.HfHubHTTPError) else 0
    if isinstance(error, errors.GatedRepoError):
        return ModelError("The model {model} may not be fetched without a permission.", "Its owners want their terms accepted first.",
                          "Accept them on {page} and set HF_TOKEN to a token of yours, or download the files elsewhere and choose their "
                          "folder.", **params)
    if isinstance(error, errors.RepositoryNotFoundError):
        near = near_ids(repo, known)
        return ModelError("There is no model called {model} on {host}.", "Or it is private, and no token that opens it is set (HF_TOKEN).",
                          "Check the id; the nearest known ones are: {near}." if near else
                          "Check the id on {host}, or download the files elsewhere and choose their folder.",
                          near=", ".join(near), **params)
    if status in (401, 403):
        return ModelError("The model {model} may not be fetched without a permission.", "{host} does not accept the token of this machine.",
                          "Set HF_TOKEN to a valid token, or download the files elsewhere and choose their folder.", **params)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ModelError("There is no room for the model {model}.", "The disk of {dir} is full.",
                          "Free some space, or set HF_HOME to a folder on another disk.", dir=str(hub_folder()), **params)
    problem = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ else error
    return ModelError("The model {model} could not be fetched.", "{host}: {problem}",
                      "Try again, or download the files elsewhere and choose their folder.",
                      problem=(str(problem).strip() or type(problem).__name__).splitlines()[0][:200], **params)


def _host() -> str:
    return urlsplit(endpoint()).hostname or ""


def of_row(row: ModelRow, progress: Progress | None = None) -> Checkpoint:
    """The row's files on this machine, fetched when they are not there. Raises `ModelError` when they can't be had or used."""
    folder = folder_of(row)
    return checkpoint(folder if folder is not None else fetch(row.repo, progress))
