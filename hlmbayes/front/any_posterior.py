"""What the faces of posteriors have in common, whatever the outcome."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from ..equations.model import TwoLevelModel
from ..faces import asked, shown
from ..model_tables.protocol import Tabled
from ..posterior import derived, predictive, summaries
from ..posterior.beside_fit import compare
from ..posterior.contrasts import contrast
from ..posterior.convergence import Convergence
from ..posterior.record import Drawn
from ..priors.priors import Priors
from ..sampling import posterior_file
from ..sampling.settings import Settings

if TYPE_CHECKING:
    import xarray as xr

    from ..data.two_level import TwoLevelData


class AnyPosterior(Tabled):
    """Draws from the posterior of a model; ``post["g01"]`` are those of one parameter, (chain, draw)."""

    __slots__ = ()
    _record: Drawn

    tree: xr.DataTree = shown("tree", "An ArviZ DataTree; its layout is in `hlmbayes.sampling.container`.")
    data: TwoLevelData | None = shown("data", "The rows it came from; None where it came from moments.")
    priors: Priors = shown("priors", "The priors as they were asked for.")
    settings: Settings = shown("settings", "Sampler, seed, draws, chains, ...")
    sampler: dict[str, Any] = shown("sampler", "What the sampler says of itself: its name, k-hat, seconds.")
    convergence: Convergence = shown("convergence", "Whether the draws can be used, in words and figures.")

    @property
    def model(self) -> TwoLevelModel:
        """The model as it was written; of a posterior from a file, with the columns of its terms."""
        return self._record.target.design.terms.written or self._record.model

    def draws(self, name: str) -> np.ndarray:
        """Give the draws of "gamma", "tau", "sd", "tau_corr", "u" or "b", (chain, draw, ...).

        Of a normal outcome also of "sigma".
        """
        return self._record.values(name)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._record.scalar(name)

    # --- tables ---

    summary = asked(summaries.summary)
    effects = asked(summaries.effects)

    # --- what follows from the parameters ---

    contrast = asked(contrast)

    compare = asked(compare)
    plausible_range = asked(derived.plausible_range)

    def loo(self, by: Literal["unit", "row"] = "unit") -> Any:
        """Cross-validate by leaving out units (u_j integrated out) or rows; an ArviZ ELPDData."""
        return predictive.loo(self._record, by)

    def with_log_likelihood(self, by: Literal["unit", "row"] = "unit") -> Self:
        """Give the posterior with its group log_likelihood, by unit (u_j integrated out) or by row."""
        return type(self)(predictive.with_log_likelihood(self._record, by))

    # --- files ---

    def save(self, path: str | Path) -> Path:
        """Write everything to a netCDF file (or zarr, where the name ends so); `load_posterior` reads it."""
        return posterior_file.write(self.tree, path)

    def _repr_html_(self) -> str:
        from ..report.posterior_report import fragment

        return fragment(self._record)

    def _said(self, what: str = "") -> str:
        """Say how the draws came about, and the parameters; ``what`` follows the outcome."""
        design, how = self._record.target.design, self.settings
        return (
            f"Posterior of {self.model.outcome}{what}: {how.chains} chains of {how.draws} draws, sampler "
            f"{self.sampler['sampler']!r}, seed {how.seed}; {design.n_rows} rows in {design.n_units} units\n"
            f"{self.summary()}\n{self.convergence}"
        )
