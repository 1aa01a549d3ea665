"""Try it: a picture or a text in, an answer out."""
from __future__ import annotations

from core.jobs.predictor_client import client
from pages.ui import recipe, try_pictures, try_texts
from pages.ui.i18n import _
from pages.ui.run_pages import ended_run

PANELS = {"image": try_pictures.panel, "text": try_texts.panel}
"""By task."""

run, report = ended_run(_("Try it"))
bar = recipe.place()
client().warm()
PANELS[run.data.task](run, report)
recipe.fill_download(bar, run)
