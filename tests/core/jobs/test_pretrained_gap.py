"""What the built-in weights are worth, on the sample pictures that everybody starts with."""
from __future__ import annotations

import pytest

from core.data.intake.importing import import_sample
from core.evaluation.report import Report
from core.jobs.assemble import assemble, finish
from core.jobs.runs import submit
from core.models.catalog import DEFAULT, find
from core.owners import LOCAL_OWNER
from core.specs import ModelSpec
from core.training.fit import fit
from core.training.presets import preset_config, preset_plan
from core.workspace import Workspace


class Silent:
    def reading(self, done: int, total: int) -> None: ...

    def fetching(self, done: int, total: int) -> None: ...


def judged(ws: Workspace, pretrained: bool) -> Report:
    """Instant on the drawn flowers, as the app does it."""
    data = import_sample(ws, "flowers", LOCAL_OWNER, lambda done, total: None)
    run = submit(ws, LOCAL_OWNER, data, ModelSpec(DEFAULT, pretrained), preset_plan(find(DEFAULT), "instant"), preset_config(find(DEFAULT), "instant"))
    parts = assemble(ws, run, Silent())
    list(fit(run, parts.network, parts.splits, len(parts.version.labels), ws.run(run.id), lambda: "go", parts.precision))
    report = finish(ws, run, ws.run(run.id), parts)
    assert report is not None and report.split == "test" and not report.used_for_choosing
    return report


@pytest.mark.slow
def test_instant_is_far_better_with_the_built_in_weights_than_with_random_ones(ws: Workspace) -> None:
    pretrained, random = judged(ws, True), judged(ws, False)
    assert pretrained.n == random.n >= 40
    assert pretrained.score >= random.score + 0.12, (pretrained.score, random.score)
    assert pretrained.score > 0.7 > 2 / len(pretrained.labels)
