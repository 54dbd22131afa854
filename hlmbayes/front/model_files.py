"""A model and its data as files that `hlmbayes run` takes: a command file or equations, the data beside."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..data.paths import EQUATION_FILES, MODEL_FILES
from ..data.two_level import TwoLevelData
from ..equations.model import TwoLevelModel
from ..errors import OutputError
from ..hlm_files.command_options import Options
from ..hlm_files.command_writer import n_categories, template_text, to_text
from ..residuals.files import put_statistical
from ..terms.expand import rated
from ..writing import write_text, write_whole

if TYPE_CHECKING:
    import pandas as pd

_SPSS_NAME = re.compile(r"[A-Za-z@][\w.$#@]{0,63}")
_NUMBERS = "biuf"
Method = Literal["REML", "ML"]


def save_model(
    model: TwoLevelModel, path: str | Path, data: TwoLevelData, method: Method = "REML"
) -> list[Path]:
    """Write a model and its data as files that `hlmbayes run` takes, and give their paths.

    Raises
    ------
    OutputError, CommandFileError
        Another ending, a model or names of variables that a command file cannot hold.
    """
    path = Path(path)
    if (suffix := path.suffix.lower()) not in MODEL_FILES:
        raise OutputError(
            f"{path.name}: a model is saved as NAME.hlm, a command file of HLM's with its template and data, "
            "or as NAME.txt, equations that name their data"
        )
    if not isinstance(data, TwoLevelData):
        raise OutputError(f"a model is saved with the rows it is for, got {type(data).__name__}")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}; make it first, or name another")
    data = rated(model, data)
    written = _equations if suffix in EQUATION_FILES else _command_file
    return written(model.with_levels(data), path, data, method)


def _command_file(model: TwoLevelModel, path: Path, data: TwoLevelData, method: Method) -> list[Path]:
    """Write NAME.hlm, NAME.mdmt and the data as SPSS files, which HLM reads."""
    text = to_text(model, Options(method=method), f"{path.stem}.mdm", n_categories(model, data))
    frames = [_only(frame, data.id_name, _NUMBERS) for frame in _frames(model, data)]
    _refuse_text(model, frames, path)
    for name in (name for frame in frames for name in frame.columns):
        if not _SPSS_NAME.fullmatch(name):
            raise OutputError(
                f"{name!r} cannot be the name of a variable in the SPSS file that HLM reads: rename the "
                f"column, or save {path.stem}.txt"
            )
    files = _write(path, frames, data, ".sav")
    own = [[name for name in frame.columns if name != data.id_name] for frame in frames]
    missing = bool(frames[0].isna().any(axis=None))
    names, ids = (files[0].name, files[1].name), (data.id_name, data.id_name)
    template = template_text(f"{path.stem}.mdm", names, ids, (own[0], own[1]), missing)
    return [write_text(path, text), write_text(path.with_suffix(".mdmt"), template), *files]


def _equations(model: TwoLevelModel, path: Path, data: TwoLevelData, method: Method) -> list[Path]:
    """Write NAME.txt and the data: SPSS files with labels, or Parquet for categories and odd names."""
    frames = [_only(frame, data.id_name, f"{_NUMBERS}O") for frame in _frames(model, data)]
    legal = all(_SPSS_NAME.fullmatch(name) for frame in frames for name in frame.columns)
    files = _write(path, frames, data, ".sav" if legal and not data.categories else ".parquet")
    head = [f"data: {files[0].name}", f"level2: {files[1].name}", f"id: {data.id_name}", f"method: {method}"]
    return [write_text(path, "\n".join([*head, "", str(model), ""])), *files]


def _refuse_text(model: TwoLevelModel, frames: list[pd.DataFrame], path: Path) -> None:
    """Refuse a model with text: a command file has numbers only, no factors."""
    there = {name.lower() for frame in frames for name in frame.columns}
    for name in model.variables:
        if name.lower() not in there:
            raise OutputError(
                f"{name} is not numeric, and a command file has numbers only: save the model as text, "
                f'model.save("{path.stem}.txt", data), or recode it to numbers'
            )


def _frames(model: TwoLevelModel, data: TwoLevelData) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give rows and level-2 records; of one source, what is constant in units is of level 2.

    What the model takes at level 1, an exposure for example, is there nonetheless.
    """
    import pandas as pd

    upper = [name for name in data.level1 if data.one_source and _is_level2(data, name)]
    rows1 = {name.lower() for c in model.coefficients for name in c.predictor.names}
    rows1 |= {name.lower() for name in (model.outcome, *model.outcome_law.columns)}
    rows2 = {name.lower() for gamma in model.gammas for name in gamma.predictor.names}
    level1 = {
        name: values for name, values in data.level1.items() if name not in upper or name.lower() in rows1
    }
    upper = [name for name in upper if name.lower() not in rows1 - rows2]
    level2 = {name: data.level2_values(name)[1] for name in [*data.level2, *upper]}
    for columns in (level1, level2):
        for name in (name for name in columns if data.categories.get(name.lower())):
            declared = list(data.categories[name.lower()])
            columns[name] = pd.Categorical(columns[name], categories=declared)  # type: ignore[assignment]
    rows = pd.DataFrame({data.id_name: data.unit_ids[data.unit], **level1})
    return rows, pd.DataFrame({data.id_name: data.unit_ids, **level2})


def _is_level2(data: TwoLevelData, name: str) -> bool:
    """Say whether a column of one source is of level 2: other text than categories stays with the rows."""
    known = data.level1[name].dtype.kind in _NUMBERS or data.has_category(name, 1)
    return known and data.is_level2(name)


def _only(frame: pd.DataFrame, id_name: str, kinds: str) -> pd.DataFrame:
    """Give the id and the columns of some kinds; categories are of the kind of text."""
    return frame[[name for name in frame.columns if name == id_name or frame[name].dtype.kind in kinds]]


def _write(path: Path, frames: list[pd.DataFrame], data: TwoLevelData, suffix: str) -> list[Path]:
    """Write the data of both levels beside a file."""
    put = _sav if suffix == ".sav" else _parquet
    files = [path.with_name(f"{path.stem}_level{level}{suffix}") for level in (1, 2)]
    for file, frame in zip(files, frames, strict=True):
        write_whole(file, partial(put, frame, data))
    return files


def _parquet(frame: pd.DataFrame, data: TwoLevelData, path: Path) -> None:
    frame.to_parquet(path, index=False)


def _sav(frame: pd.DataFrame, data: TwoLevelData, path: Path) -> None:
    labels = [data.labels.get(name.lower()) or "" for name in frame.columns]
    known: dict[str, Any] = {name: data.value_labels.get(name.lower()) for name in frame.columns}
    values = {name: dict(own) for name, own in known.items() if own}
    put_statistical(frame, path, ".sav", column_labels=labels, variable_value_labels=values)
