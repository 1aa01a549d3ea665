"""Tables that lie, break or attack: rows of the corpus."""
from __future__ import annotations

from tests.corpus.rows import Row

ROWS: tuple[Row, ...] = ()
