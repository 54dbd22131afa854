"""The data that a method of a model is given: as read, as moments, or what `hlmbayes.read` reads."""

from __future__ import annotations

from typing import Any

from ..data.two_level import TwoLevelData, read
from ..equations.model import TwoLevelModel
from ..errors import DataError
from ..faces import record_of
from ..unit_moments.record import Moments

Id = str | tuple[str, str] | None


def data_for(model: TwoLevelModel, data: Any, id: Id = None, level2: Any = None) -> TwoLevelData | Moments:
    """Give the data, read where they are a frame or a file.

    ``id`` is the name of the units' id, by default that of the model's formula, else "id"; ``level2`` are the
    level-2 records, where they are in a frame or file of their own.

    Raises
    ------
    DataError
        Data that have been read already, with an id or level-2 records; or as `hlmbayes.read`.
    """
    data = record_of(data)
    if not isinstance(data, TwoLevelData | Moments):
        return read(data, level2, id=id or model.group or "id")
    if id is not None or level2 is not None:
        given = "id=" if id is not None else "level2="
        raise DataError(
            f"these data have been read already, with their id and level-2 variables: leave {given} out, or "
            "give the frame or file itself"
        )
    return data
