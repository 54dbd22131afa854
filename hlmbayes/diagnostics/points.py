"""What is drawn and checked: a fit or a posterior at one value of its parameters, and how it is labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..equations.model import TwoLevelModel
from ..equations.names import effect_name
from ..equations.outcome_law import SCALES
from ..errors import OutputError
from ..estimation.estimates import Estimates
from ..estimation.point import Point
from ..faces import record_of
from ..labelled import labelled, text_or_numbers
from ..posterior.point import PosteriorPoint
from ..posterior.record import PosteriorSample
from .link_point import LinkPoint, link_point

if TYPE_CHECKING:
    import xarray as xr


def is_tree(source: Any) -> bool:
    """Say whether a source is a tree already."""
    import xarray as xr

    return isinstance(source, xr.DataTree)


def point_of(source: Any) -> Estimates | PosteriorPoint:
    """Give what residuals are computed from: a Fit's record, or a Posterior at its means.

    Raises
    ------
    OutputError
        Something else, or a fit whose outcome is not normal.
    """
    point = any_point_of(source)
    if isinstance(point, LinkPoint):
        raise OutputError(
            f"this is for normal outcomes, and {point.model.outcome} of this model is "
            f"{point.model.outcome_law.name}: effects_qq, level1_qq, caterpillar, predicted and "
            "level1_equations draw it"
        )
    return point


def any_point_of(source: Any) -> Estimates | PosteriorPoint | LinkPoint:
    """Give what figures are drawn from: also a fit whose outcome is not normal."""
    record = record_of(source)
    if isinstance(record, LinkPoint):
        return record
    if (found := link_point(record)) is not None:
        return found
    if isinstance(record, PosteriorSample):
        record = record.point
    if isinstance(record, Estimates | PosteriorPoint):
        return record
    raise OutputError(
        f"a Fit or a Posterior is wanted here, got {type(source).__name__}: fit = model.fit(data), or "
        "post = model.sample(data)"
    )


def label_of(source: Any, variable: str) -> str:
    """Give a variable's label, or its name where the data have none."""
    data = any_point_of(source).data
    return variable if data is None else data.labels.get(variable.lower()) or variable


def expected_outcome(point: Point | LinkPoint) -> str:
    """Say what a model predicts: "predicted math achievement", "probability (Repeated a grade = yes)"."""
    name = point.model.outcome
    label = label_of(point, name)
    if not isinstance(point, LinkPoint):
        return f"predicted {in_sentence(label, name)}"
    size = None if point.law.size is None else label_of(point, point.law.size)
    if not point.has_mean:
        return f"probability of each category of {in_sentence(label, name)}"
    return point.law.expected(in_sentence(label, name), size, point.data.value_labels.get(name.lower(), {}))


def attrs_of(point: Point | LinkPoint) -> dict[str, Any]:
    """Give what labels need to know."""
    law = point.model.outcome_law
    return {
        "engine": point.method,
        "scale": SCALES.get(law.link, ""),
        "outcome": point.model.outcome,
        "intercepts_are_means": int(law.is_normal and _are_means(point.model)),
        "outcome_label": label_of(point, point.model.outcome),
        "id_name": point.design.moments.id_name,
        "id_label": label_of(point, point.design.moments.id_name),
    }


def _are_means(model: TwoLevelModel) -> bool:
    """Say whether intercepts are the units' means: every level-1 predictor is centred about these."""
    predictors = [c.predictor for c in model.coefficients]
    return all(predictor.variable is None or predictor.centering == "group" for predictor in predictors)


def dataset_of(
    point: Point | LinkPoint, variables: dict[str, Any], attrs: dict[str, Any], row: np.ndarray | None = None
) -> xr.Dataset:
    """Label arrays with the names of units, coefficients and fixed effects."""
    model, random = point.model, [int(r) for r in point.design.random]
    names, (titles, labels) = list(model.coefficient_names), _titles(point)
    # "intercept", "sector", "ses", "ses × sector"
    effects = [effect_name(c.predictor, g.predictor, " × ") for c in model.coefficients for g in c.gammas]
    known: dict[str, Any] = {
        "unit": text_or_numbers(point.design.unit_ids),
        "row": row,
        "coef": [names[r] for r in random],
        "coef_bis": [names[r] for r in random],
        "coefficient": names,
        "fixed_effect": list(model.gamma_names),
        "effect_title": ("fixed_effect", effects),
        "coef_title": ("coef", [titles[r] for r in random]),
        "coefficient_title": ("coefficient", titles),
        "coef_label": ("coef", [labels[r] for r in random]),
        "coefficient_label": ("coefficient", labels),
    }
    return labelled(variables, known, attrs)


def in_sentence(label: str, name: str) -> str:
    """Make a label's first letter small for the middle of a sentence, unless it is a name or an acronym."""
    return label[:1].lower() + label[1:] if label != name and label[1:2].islower() else label


def capital(text: str) -> str:
    """Begin a text with a capital."""
    return text[:1].upper() + text[1:]


def outcome_of(data: xr.Dataset) -> str:
    """Give the outcome's label for the middle of a sentence."""
    return in_sentence(str(data.attrs["outcome_label"]), str(data.attrs["outcome"]))


def kind_of_effects(engine: str) -> str:
    """Say what the units' effects are, "EB" or "posterior mean", for a source's ``engine``."""
    return "posterior mean" if engine == "posterior" else "EB"


def _titles(point: Point | LinkPoint) -> tuple[list[str], list[str]]:
    """Give each level-1 coefficient's name in words, "slope of ses", and its variable's label."""
    titles, labels = [], []
    for coefficient in point.model.coefficients:
        variable = coefficient.predictor.variable
        label = "" if variable is None else label_of(point, variable)
        titles.append("intercept" if variable is None else f"slope of {variable}")
        labels.append("" if label == variable else label)
    return titles, labels
