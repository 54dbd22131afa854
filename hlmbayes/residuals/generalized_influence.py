"""How much each unit moves a fit whose outcome is not normal: fixed effects, cuts and variances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import OutputError
from ..hglm.estimates import GeneralizedEstimates
from ..hglm.pql import PQLEstimates
from ..hglm.search import SEVERAL
from ..hglm.unit_deletion import unit_deletion
from ..labelled import table
from ..likelihood.pattern import pairs
from .influence import changes, influence
from .quantities import refuse_repeated

if TYPE_CHECKING:
    import pandas as pd

ONE_STEP = (
    "One step of Newton from the estimates of all units, tau free; units without which little is known of a "
    "parameter (the first 50 of them) are really left out."
)
REFITTED = "Each unit really left out, the likelihood maximised again."


def refuse_approximate(fit: GeneralizedEstimates, what: str) -> None:
    """Raise where rows' scores are not those of what was maximised: Laplace's, or that of given nodes."""
    if (q := len(fit.n_nodes)) > SEVERAL:
        raise OutputError(
            f"{what} wants the likelihood itself, which there is for up to {SEVERAL} random effects; with "
            f"{q} this fit is by Laplace's approximation"
        )
    if fit.asked_nodes:
        raise OutputError(
            f"{what} wants the likelihood itself, and this fit is by Laplace's approximation or a given "
            "number of nodes: leave laplace= and n_nodes= out of the fit"
        )


def generalized_influence(fit: GeneralizedEstimates, *, refit: bool = False) -> pd.DataFrame:
    """Tabulate the influence of each unit: what the estimates change by when it is left out.

    Parameters
    ----------
    refit : bool
        Maximise the likelihood again without each unit, one after the other; by default one step of Newton
        from the estimates of all, and a refit only of units without which little is known of a parameter.

    Returns
    -------
    DataFrame
        A row a unit, by its id. nj; cook, Cook's distance of the fixed effects; leverage, its share of the
        information, which add up to the number of parameters; for every fixed effect its change ("d_g00") and
        that in standard errors ("z_g00"); changes of cuts ("d_d2"), of the random effects' standard
        deviations ("d_sd[b0]") and covariances ("d_tau[b1,b0]"); refitted. Without the unit there is no
        estimate where changes are nan and cook is infinite. ``attrs["how"]`` says how it was done.

    Raises
    ------
    OutputError
        A fit by Laplace's approximation or a given number of nodes, whose slopes are not those of the
        likelihood; one that did not converge; or no fixed effects.
    """
    refuse_repeated(fit)
    refuse_approximate(fit, "influence")
    if not fit.converged:
        raise OutputError(f"influence wants the optimum, and the fit did not converge: {fit.stop_reason}")
    design = fit.design
    if not design.n_fixed:
        raise OutputError("the model has no fixed effects that a unit could influence")
    found = unit_deletion(fit, refit)
    change = found.gamma
    cook = np.einsum("jf,jf->j", change, np.linalg.solve(fit.vcov_free, change.T).T) / design.n_fixed
    columns = {"nj": design.moments.n, "cook": np.where(np.isnan(cook), np.inf, cook)}
    columns["leverage"] = found.leverage
    columns |= changes(fit, change)
    columns |= {f"d_d{k}": cut for k, cut in enumerate(found.cuts.T, 2)}
    columns |= _of_tau(fit, found.tau)
    frame = table(columns | {"refitted": found.refitted}, design.unit_ids, design.moments.id_name)
    frame.attrs["how"] = REFITTED if refit else ONE_STEP
    return frame


def influence_pql(fit: PQLEstimates) -> pd.DataFrame:
    """Tabulate the influence of each unit on the last working model, its weights, tau and sigma2 held.

    Columns as for normal outcomes: nj, cook, leverage, "d_g00" and "z_g00", ...
    """
    return influence(fit.working)


def _of_tau(fit: GeneralizedEstimates, change: np.ndarray) -> dict[str, np.ndarray]:
    """Give the changes of standard deviations and free covariances by name."""
    tau, names = fit.tau_values, fit.random_names
    without = np.maximum(np.einsum("jaa->ja", tau + change), 0.0)
    sd = np.sqrt(without) - np.sqrt(np.diag(tau))
    found = {f"d_sd[{name}]": sd[:, a] for a, name in enumerate(names)}
    rows, cols = pairs(fit.design.pattern)
    return found | {
        f"d_tau[{names[a]},{names[b]}]": change[:, a, b]
        for a, b in zip(rows.tolist(), cols.tolist(), strict=True)
    }
