"""The layout of a posterior as an ArviZ DataTree: every name of a group, variable and dimension is here.

Dimensions: chain, draw, fixed_effect (g00, g01, ...), coef and coef_bis (random level-1 coefficients
b0, b1, ...), pair (b1,b0), coefficient (all level-1 coefficients), unit (the ids), row. Groups: posterior
(gamma, sigma, sigma2, tau, sd, corr, u, b: all of it varies from draw to draw), matrices (tau_corr, and tau
where some of it is zero), variance_parameters (the sampler's own coordinates), sample_stats, log_prior,
log_likelihood, posterior_predictive, prior_predictive, observed_data, constant_data, moments and, where
log(sigma2) depends on variables, variance_groups or, where rows are weighed by their precision, weighed_rows,
or, where the outcome is not normal, rows (what a rerun needs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.two_level import TwoLevelData
from ..errors import SamplingError
from ..labelled import coordinates, text_or_numbers
from ..likelihood.design import Design
from ..likelihood.orthonormal import Products
from ..likelihood.pattern import pairs
from ..likelihood.row_groups import Groups
from ..likelihood.rows import analysed_rows
from ..likelihood.weighing import Weighing
from ..unit_moments.record import Moments

if TYPE_CHECKING:
    import xarray as xr

CHAIN = ("chain", "draw")
MATRICES = "matrices"
DIMS: dict[str, tuple[str, ...]] = {
    "gamma": ("fixed_effect",),
    "sigma": (),
    "sigma2": (),
    "alpha": ("log_sigma2",),
    "cuts": ("cut",),
    "tau": ("coef", "coef_bis"),
    "sd": ("coef",),
    "corr": ("pair",),
    "tau_corr": ("coef", "coef_bis"),
    "u": ("unit", "coef"),
    "b": ("unit", "coefficient"),
    "phi": ("parameter",),
}


@dataclass(frozen=True, eq=False)
class Held:
    """What a posterior holds: a DataTree, which is made when it is asked for.

    ``attrs`` are the tree's; ``ready`` has the arrays that are there without it, by group and name, (chain,
    draw, ...). Whoever asks of parameters needs neither the random effects of each draw nor xarray.
    """

    attrs: Mapping[str, Any]
    make: Callable[[], xr.DataTree]
    ready: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)

    @classmethod
    def of(cls, tree: xr.DataTree) -> Held:
        """Hold a tree that is there."""
        return cls(tree.attrs, tree.copy)  # the arrays are shared

    @cached_property
    def tree(self) -> xr.DataTree:
        """The whole."""
        return self.make()

    def group(self, name: str) -> Any:
        """Give the arrays of a group by name, those that are ready if there are any."""
        return self.ready[name] if name in self.ready else self.tree[name]

    def values(self, name: str) -> np.ndarray:
        """Give the draws of a quantity as `container.values` does."""
        found = self.ready.get("posterior", {}).get(name)
        return values(self.tree, name) if found is None else found


def coords(design: Design) -> dict[str, Any]:
    """Give the coordinates of a model's parameters."""
    model = design.model
    random = [model.coefficients[r].name for r in design.random]
    return {
        "fixed_effect": list(model.gamma_names),
        "coef": random,
        "coef_bis": random,
        "pair": [f"{random[i]},{random[j]}" for i, j in zip(*pairs(design.pattern), strict=True)],
        "coefficient": list(model.coefficient_names),
        "unit": text_or_numbers(design.unit_ids),
    }


def dataset(
    values: Mapping[str, np.ndarray], known: Mapping[str, Any], leading: Sequence[str] = CHAIN,
    dims: Mapping[str, Sequence[str]] | None = None,
) -> xr.Dataset:  # fmt: skip
    """Label arrays: leading dimensions, then those of the variable's name."""
    import xarray as xr

    names = {**DIMS, **(dims or {})}
    variables: dict[str, Any] = {}
    sizes: dict[Any, int] = {}
    for name, value in values.items():
        array, dimensions = np.asarray(value), (*leading, *names.get(name, ()))
        variables[name] = xr.Variable(dimensions, array, fastpath=True)
        sizes |= variables[name].sizes
    numbered = {dim: np.arange(sizes[dim]) for dim in CHAIN if dim in sizes}
    used = {dim: value for dim, value in known.items() if dim in sizes}
    return xr.Dataset(variables, coords=coordinates({**used, **numbered}))


def values(data: xr.DataTree, name: str, group: str = "posterior") -> np.ndarray:
    """Give an array of a group, shape (chain, draw, ...); a SamplingError where there is none.

    What is not in the posterior, because some of it does not vary, is in its matrices.
    """
    if group == "posterior" and not has(data, name, group) and has(data, name, MATRICES):
        group = MATRICES
    if not has(data, name, group):
        there = ", ".join(str(v) for v in data[group].data_vars) if group in data.children else "nothing"
        raise SamplingError(f"this posterior has no {name} in its group {group}; it has {there}")
    return np.asarray(data[group][name].values)


def has(data: xr.DataTree, name: str, group: str = "posterior") -> bool:
    """Say whether a tree has a variable."""
    return group in data.children and name in data[group].data_vars


def flat(data: xr.DataTree, name: str, group: str = "posterior") -> np.ndarray:
    """Give an array with chain and draw run together, shape (chain * draw, ...)."""
    array = values(data, name, group)
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])  # also of no random effects


def moments_dataset(moments: Moments) -> xr.Dataset:
    """Give moments as a dataset a file can hold."""
    unit, column = ("unit",), ("unit", "column")
    level2 = np.array([np.asarray(v, dtype=float) for v in moments.level2.values()])
    values = {
        "n": moments.n, "weight": moments.weight, "mean": moments.mean, "sscp": moments.sscp,
        "level2": level2.reshape(len(moments.level2), moments.n_units),
    }  # fmt: skip
    known = {
        "unit": text_or_numbers(moments.unit_ids),
        "column": list(moments.columns),
        "level2_variable": np.array(list(moments.level2), dtype=str),
    }
    dims = {
        "n": unit, "weight": unit, "mean": column, "sscp": (*column, "column_bis"),
        "level2": ("level2_variable", "unit"),
    }  # fmt: skip
    attrs = {"id_name": moments.id_name, "n_dropped": moments.n_dropped, "notes": "\n".join(moments.notes)}
    return dataset(values, known, (), dims).assign_attrs(attrs)


def groups_dataset(groups: Groups) -> xr.Dataset:
    """Give groups of rows with one variance as a dataset a file can hold."""
    products = groups.products
    values = {
        "unit_index": groups.unit, "n": groups.n, "covariates": groups.covariates,
        "mean": products.mean.T, "sscp": products.cross.transpose(2, 0, 1), "de": groups.de, "ee": groups.ee,
    }  # fmt: skip
    column = ("group", "column")
    dims: dict[str, Sequence[str]] = dict.fromkeys(("unit_index", "n", "ee"), ("group",))
    dims |= {"covariates": ("group", "log_sigma2"), "sscp": (*column, "column_bis")}
    return dataset(values, {}, (), dims | dict.fromkeys(("mean", "de"), column))


def _arrays(group: Any) -> dict[str, np.ndarray]:
    return {str(name): np.asarray(array.values) for name, array in group.variables.items()}


def groups_from(data: xr.DataTree) -> Groups | None:
    """Read back what `groups_dataset` gave; None where log(sigma2) does not depend on variables."""
    if "variance_groups" not in data.children:
        return None
    held = _arrays(data["variance_groups"])
    mean, cross = (np.ascontiguousarray(np.moveaxis(held[name], 0, -1)) for name in ("mean", "sscp"))
    products = Products(held["n"], mean, cross)
    return Groups(held["unit_index"], held["n"], held["covariates"], products, held["de"], held["ee"])


def weighing_dataset(weighing: Weighing) -> xr.Dataset:
    """Give what rows weigh as a dataset a file can hold: their moments, and sums by unit."""
    sums = {"log_weight": ("unit", weighing.log_weight), "spread": ("unit", weighing.spread)}
    return moments_dataset(weighing.moments).assign(sums)


def weighing_from(data: xr.DataTree) -> Weighing | None:
    """Read back what `weighing_dataset` gave; None where all rows weigh the same."""
    if "weighed_rows" not in data.children:
        return None
    held = data["weighed_rows"]
    sums = (np.asarray(held[name].values) for name in ("log_weight", "spread"))
    return Weighing(moments_from(held), *sums)


def rows_dataset(design: Design, data: TwoLevelData, also: Sequence[str]) -> xr.Dataset:
    """Give the analysed rows as a dataset a file can hold; ``also`` names columns beside the design's own."""
    row, unit = analysed_rows(design, data, also)
    names = (*design.moments.columns, *also)
    level1 = np.array([np.asarray(data.level1_column(name), dtype=float)[row] for name in names])
    values = {"unit_index": unit, "level1": level1}
    known = {"row": row, "level1_variable": np.array(names, dtype=str)}
    return dataset(values, known, (), {"unit_index": ("row",), "level1": ("level1_variable", "row")})


def rows_from(data: xr.DataTree) -> TwoLevelData:
    """Read back what `rows_dataset` gave, the units and level 2 from the moments beside it."""
    held, moments = _arrays(data["rows"]), moments_from(data["moments"])
    level1 = dict(zip(map(str, held["level1_variable"]), held["level1"], strict=True))
    return TwoLevelData(moments.id_name, moments.unit_ids, held["unit_index"], level1, moments.level2)


def moments_from(dataset: Any) -> Moments:
    """Read back what `moments_dataset` gave."""
    held, notes = _arrays(dataset), str(dataset.attrs["notes"])
    level2 = {str(name): column for name, column in zip(held["level2_variable"], held["level2"], strict=True)}
    return Moments(
        str(dataset.attrs["id_name"]), held["unit"], tuple(str(c) for c in held["column"]),
        held["n"], held["weight"], held["mean"], held["sscp"], level2, int(dataset.attrs["n_dropped"]),
        tuple(notes.split("\n")) if notes else (),
    )  # fmt: skip
