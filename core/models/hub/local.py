"""Models of the Hugging Face Hub on this machine: ids, the libraries' cache, what is ready. Free of torch and transformers."""
from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from core.errors import ModelError
from core.models.hub.checkpoint import Checkpoint, checkpoint, size_bytes

__all__ = ["Checkpoint", "check_id", "checkpoint", "endpoint", "hub_folder", "is_ready", "located", "near_ids", "offline", "ready_ids",
           "repo_folder", "size_bytes", "snapshot", "snapshots"]

MAIN = "main"
_TRUE = {"1", "ON", "YES", "TRUE"}


def hub_folder() -> Path:
    """The cache of huggingface_hub, found by its own rules: HF_HUB_CACHE, else hub in HF_HOME, else in the user's cache folder."""
    home = os.getenv("HF_HOME") or os.path.join(os.getenv("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    folder = os.getenv("HF_HUB_CACHE") or os.getenv("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expandvars(os.path.expanduser(folder)))


def offline() -> bool:
    """Whether the environment forbids the network to these libraries (HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE)."""
    return (os.getenv("HF_HUB_OFFLINE") or os.getenv("TRANSFORMERS_OFFLINE") or "").upper() in _TRUE


def endpoint() -> str:
    """The address of the hub, or of the mirror that HF_ENDPOINT names."""
    return (os.getenv("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def check_id(text: str, known: Iterable[str] = ()) -> str:
    """A model id (name, or owner/name) without the blanks around it. `known`: ids to suggest when it is none.

    Raises `ModelError` for what can't be an id; from a pasted address the id is taken and proposed. Ids are never looked up as
    folders: a folder on this machine is chosen as such.
    """
    from huggingface_hub.utils import HFValidationError, validate_repo_id  # half a second

    text = text.strip()
    if inside := _id_in_address(text):
        raise ModelError("“{text}” is an address and not the id of a model.", "", "Write {id}.", text=text[:200], id=inside)
    if text.startswith((".", "~", "/", "\\")) or re.match(r"[A-Za-z]:[\\/]", text) or text and os.path.exists(text):
        raise ModelError("“{text}” is a folder or file on this machine and not the id of a model.", "",
                         "Choose it as a folder, or write an id such as {example}.", text=text[:200], example=_example(known))
    try:
        if not text:
            raise HFValidationError("")
        validate_repo_id(text)
    except HFValidationError as error:
        raise ModelError("“{text}” is not the id of a model.",
                         "An id is a name, or owner/name, of letters, digits, “-”, “_” and “.”, without blanks, 96 characters at most.",
                         "Copy it from the top of the model's page, or choose one such as {example}.", text=text[:200],
                         example=", ".join(near_ids(text, known)) or _example(known)) from error
    return text


def near_ids(text: str, known: Iterable[str]) -> list[str]:
    """Those of the known ids that the text may have meant, by their last part too."""
    rows = {key: row for row in known for key in (row.lower(), row.lower().rpartition("/")[2])}
    wanted = [text.lower(), text.lower().rpartition("/")[2]]
    return list(dict.fromkeys(rows[key] for word in wanted for key in difflib.get_close_matches(word, rows, n=3, cutoff=0.6)))[:3]


def _id_in_address(text: str) -> str:
    """owner/name, or an older name without owner, in a pasted address of a model's page; else an empty text."""
    hosts = {"huggingface.co", "www.huggingface.co", "hf.co", "hf-mirror.com", urlsplit(endpoint()).hostname}
    parts = urlsplit(text if "://" in text else f"https://{text}")
    words = [word for word in parts.path.split("/") if word]
    if not words or "://" not in text and parts.hostname not in hosts:
        return ""
    return "/".join(words[:1] if len(words) > 1 and words[1] in ("tree", "blob", "resolve") else words[:2])


def _example(known: Iterable[str]) -> str:
    return next(iter(known), "google-bert/bert-base-uncased")


def repo_folder(repo: str, home: Path | None = None) -> Path:
    """Where the cache keeps a model, whether it is there or not. `home`: the cache folder, that of `hub_folder` by default."""
    return (home or hub_folder()) / f"models--{repo.replace('/', '--')}"


def snapshots(repo: str, home: Path | None = None) -> list[Path]:
    """The copies of a model in the cache, complete or not: the one that stands for its main branch first, then the newest."""
    folder = repo_folder(repo, home)
    found = [path for path in (folder / "snapshots").iterdir() if path.is_dir()] if (folder / "snapshots").is_dir() else []
    ref = folder / "refs" / MAIN
    main = ref.read_text(encoding="utf-8", errors="replace").strip() if ref.is_file() else MAIN
    return sorted(found, key=lambda path: (path.name == main, path.stat().st_mtime), reverse=True)


def snapshot(repo: str, home: Path | None = None) -> Path | None:
    """The copy of a model in the cache that `checkpoint` accepts; None when there is no such copy."""
    return next((path for path in snapshots(repo, home) if _is_complete(path)), None)


def is_ready(repo: str) -> bool:
    """Whether a hub id, or a folder on this machine (an absolute path), is whole and can be used without a network."""
    try:
        located(repo)
    except ModelError:
        return False
    return True


def located(repo: str) -> Checkpoint:
    """The checkpoint of a hub id in the cache, or of a folder on this machine (an absolute path). Raises `ModelError`."""
    folder = Path(repo) if os.path.isabs(repo) else snapshot(repo)
    if folder is None:
        raise ModelError("{model} is not on this machine.", "It has not been downloaded yet.",
                         "Download it on the Model page, or choose a ready model.", model=repo)
    return checkpoint(folder)


def ready_ids(home: Path | None = None) -> list[str]:
    """The models in the cache that work without a network, by name."""
    return sorted(repo for repo in _cached_ids(home or hub_folder()) if snapshot(repo, home))


def _cached_ids(home: Path) -> Iterator[str]:
    for path in home.glob("models--*"):
        yield path.name.removeprefix("models--").replace("--", "/", 1)


def _is_complete(folder: Path) -> bool:
    try:
        checkpoint(folder)
    except ModelError:
        return False
    return True
