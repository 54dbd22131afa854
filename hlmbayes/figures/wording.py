"""What figures call units, coefficients and values, and the labels of single units."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..diagnostics.diagnostic_tree import level2_variables
from ..diagnostics.points import any_point_of, is_tree, outcome_of
from ..errors import OutputError
from ..naming import Parameter, Parameters
from .plot_style import id_text, label_points, number

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

FEW = 6  # a variable with at most so many values is drawn as categories


def coefficient_index(data: xr.Dataset, coefficient: str) -> int:
    """Find a random coefficient by its code ("b0"), that of its effect ("u0") or its variable ("ses").

    Raises
    ------
    OutputError
        The model has no such random effect, and so nothing to draw.
    """
    return _coefficients(data).place(coefficient, OutputError)


def _coefficients(data: xr.Dataset) -> Parameters:
    """Give the random coefficients of a dataset with their names."""
    each = []
    for code, title in zip(data["coef"].values, data["coef_title"].values, strict=True):
        name = str(title).removeprefix("slope of ")
        forms = (name, f"u{str(code)[1:]}", str(title), f"{name} slope", f"group({name})", f"grand({name})")
        each.append(Parameter(str(code), name, forms))
    return Parameters("random coefficient", tuple(each))


def effect_name(data: xr.Dataset, k: int) -> str:
    """Return "EB residual of the slope of ses (u1): Socioeconomic status"."""
    what = "Posterior mean" if data.attrs["engine"] == "posterior" else "EB residual"
    scale = f", {data.attrs['scale']}" if data.attrs.get("scale") else ""
    return f"{what} of the {short_name(data, k)}{label_after(data, 'coef', k)}{scale}"


def label_after(data: xr.Dataset, dim: str, k: int) -> str:
    """Return ": Socioeconomic status of the student", or nothing where the variable has no label."""
    label = str(data[f"{dim}_label"].values[k])
    return f": {label}" if label else ""


def short_name(data: xr.Dataset, k: int) -> str:
    """Return "intercept (u0)" or "slope of ses (u1)"."""
    return f"{data['coef_title'].values[k]} (u{str(data['coef'].values[k])[1:]})"


def of_units(data: xr.Dataset, k: int) -> str:
    """Return "the school means" (intercepts, if predictors are not group-centred), "the slopes of ses".

    Where each category has equations, these are named: "the school intercepts (bus against car)".
    """
    title = str(data["coef_title"].values[k])
    against = str(data["against"].values[k]) if "against" in data else ""
    of = f" ({against})" if against else ""
    if title != "intercept":
        return f"the {title.replace('slope', 'slopes', 1)}{of}"
    kind = "means" if data.attrs.get("intercepts_are_means") else "intercepts"
    return f"the {units_word(data)[:-1]} {kind}{of}"


def residual_name(data: xr.Dataset) -> str:
    """Return "Level-1 residual of math achievement", or which other residuals there are."""
    return f"{data['residual'].attrs['long_name']} of {outcome_of(data)}"


def units_word(data: xr.Dataset) -> str:
    """Return what the units of a dataset are called."""
    return unit_word(str(data.attrs["id_label"]), str(data.attrs["id_name"]))


def unit_word(label: str, name: str) -> str:
    """Return what units are called: "schools" where the id's label is the one word School, else "units"."""
    return f"{label.lower()}s" if label.isalpha() and label.lower() != name.lower() else "units"


def value_text(source: Any, variable: str, value: float) -> str:
    """Return a value's label, or the value."""
    if is_tree(source):
        for name, values in level2_variables(source).data_vars.items():
            if str(values.attrs.get("name", name)).lower() == variable.lower():
                labels = json.loads(values.attrs.get("value_labels", "{}"))
                return str(labels.get(str(float(value)), number(float(value))))
        return number(float(value))
    data = any_point_of(source).data
    known = {} if data is None else data.value_labels.get(variable.lower(), {})
    return str(known.get(value, number(float(value))))


def label_extremes(ax: Axes, data: xr.Dataset, x: np.ndarray, y: np.ndarray, which: np.ndarray) -> None:
    """Write the ids of the units ``which`` at their points."""
    if len(which):
        texts = [id_text(unit) for unit in data["unit"].values[which]]
        label_points(ax, x[which], y[which], texts, x, y)
