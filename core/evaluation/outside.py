"""A bundle put to work on files that its run never saw."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from core.bundle import predict
from core.bundle.load import load_bundle
from core.data.versions import Version, version_key
from core.errors import DataError
from core.evaluation.report import Report, evaluate
from core.workspace import Workspace


def evaluate_bundle(ws: Workspace, bundle: Path, version: Version) -> Report:
    """Judge a bundle on a dataset: on every item of one that it has never seen; on the test (without any: the validation) items where
    the files bring their split, or where the bundle has learned from this very data. Raises `UserError` when the dataset has a label
    that the bundle doesn't know."""
    model = load_bundle(bundle)
    unknown = [label for label in version.labels if label not in model.labels]
    if unknown:
        raise DataError("The labels don't match.", "The model knows {known}; the data also has {unknown}.",
                        "Rename the folders, or choose data with the model's labels.", known=", ".join(model.labels), unknown=", ".join(unknown))
    learned_from = model.about.get("data", {}).get("version") == version_key(version)
    split: Literal["test", "val"] = "test" if version.split("test") or not (version.fixed_splits or learned_from) else "val"
    items = version.split(split) if version.fixed_splits or learned_from else version.items
    rows = predict.predict(model, (ws.blob(item.sha) for item in items))
    truths = [model.labels.index(version.labels[item.label]) for item in items]
    return evaluate(rows, truths, model.labels, split=split, used_for_choosing=learned_from and split == "val",
                    shas=[item.sha for item in items], names=[item.name for item in items])


def predict_files(bundle: Path, files: Sequence[Path]) -> tuple[tuple[str, ...], list[list[float]]]:
    """The bundle's labels and one list of probabilities a file. Raises `UserError` that names the file that can't be read."""
    model, rows = load_bundle(bundle), []
    for file in files:
        try:
            rows += predict.predict(model, [file])
        except FileNotFoundError as error:
            raise DataError("This file is not there.", "{file}", "Check its name.", file=str(file)) from error
        except predict.PictureError as error:
            raise DataError("This picture can't be read.", "{file}: {problem}", "Try another one, saved as JPEG or PNG.",
                            file=str(file), problem=str(error)) from error
    return model.labels, rows

