"""Graft without the browser: `python -m core models|check|rank|train|evaluate|predict`."""
from __future__ import annotations

import sys

from core.cli import main

sys.exit(main())
