"""Errors a user may see: what happened, why, and what to do now."""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TypeVar

NO_MEMORY = re.compile(r"allocate memory|not enough memory|out of memory|bad_alloc|could not (create|execute) a primitive", re.IGNORECASE)
"""How PyTorch, CUDA, oneDNN and the system say that memory ran out."""


class UserError(Exception):
    """A fault that is explained to the user instead of shown as a traceback.

    `title`, `cause` and `fix` are English templates, the keys of the translation catalogue; `params` fill
    their `{placeholders}`. The page translates the templates first and fills them afterwards.
    """

    def __init__(self, title: str, cause: str = "", fix: str = "", **params: object) -> None:
        self.title, self.cause, self.fix, self.params = title, cause, fix, params
        super().__init__(" ".join(part.format(**params) for part in (title, cause, fix) if part))

    def plain_params(self) -> dict[str, str | int | float]:
        """The parameters as JSON can hold them, for an error that another process will show."""
        return {key: value if isinstance(value, (int, float)) else str(value) for key, value in self.params.items()}


E = TypeVar("E", bound=UserError)


@dataclass(frozen=True, slots=True)
class Fault:
    """A `UserError` as data, for a status that another process writes: `title`, `cause` and `fix` are keys of the translation catalogue."""
    title: str
    cause: str
    fix: str
    params: dict[str, str | int | float] = field(default_factory=dict)

    @classmethod
    def of(cls, error: UserError) -> Fault:
        return cls(error.title, error.cause, error.fix, error.plain_params())

    def error(self, kind: type[E] = UserError) -> E:
        """As an error again."""
        return kind(self.title, self.cause, self.fix, **self.params)


class DataError(UserError):
    """The files, labels or splits can't be used as they are."""


class ModelError(UserError):
    """A model can't be found, loaded or built."""


class SettingsError(UserError):
    """A setting is out of its range; all problems of one form are named together."""


class NotFound(UserError):
    """A dataset, run or bundle that does not exist here (any more)."""


class NotAllowed(UserError):
    """The thing belongs to somebody else."""


class NotANumber(UserError):
    """The loss is no longer a number."""


def out_of_memory(error: BaseException) -> bool:
    """Whether this is what running out of memory looks like: libraries raise errors of their own for it, PyTorch a `RuntimeError`."""
    return isinstance(error, MemoryError) or bool(NO_MEMORY.search(str(error)))
