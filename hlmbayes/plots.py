"""Every figure of the package: ``hlm.plots.caterpillar(fit)``.

Each function takes a Fit, a Posterior or (diagnostic plots) the DataTree of `hlmbayes.diagnostics.tree`,
draws on the axes given as ``ax`` or on new ones, and returns the axes; none of them shows a window. Those
of draws (`densities`, `ranks`, `tau_pair`, `gamma_forest`, `predictive_by_unit`) take a Posterior; the first
three have several panels and return the figure.
``hlm.plots.caterpillar(fit).figure.savefig("caterpillar.png")`` writes a file.
"""

from .arguments import in_words
from .figures.calibration_plot import calibration
from .figures.density_plots import densities
from .figures.level1_plots import influence, influence_on_effects, residuals_against_fitted
from .figures.level2_plots import caterpillar, effect_against, shrinkage
from .figures.model_graphs import predicted
from .figures.normality_plots import chi2_qq, effects_qq, level1_qq, log_sd_histogram, log_sd_qq
from .figures.posterior_plots import gamma_forest, predictive_by_unit, ranks, tau_pair
from .figures.unit_boxes import boxes_by_unit, proportions_by_unit, residuals_by_unit
from .figures.unit_lines import level1_equations
from .figures.variance_bars import variance_bars

__all__ = [
    "boxes_by_unit", "calibration", "caterpillar", "chi2_qq", "densities", "effect_against",
    "effects_qq", "gamma_forest", "influence", "influence_on_effects", "level1_equations", "level1_qq",
    "log_sd_histogram", "log_sd_qq", "predicted", "predictive_by_unit", "proportions_by_unit", "ranks",
    "residuals_against_fitted", "residuals_by_unit", "shrinkage", "tau_pair", "variance_bars",
]  # fmt: skip

globals().update({name: in_words(globals()[name]) for name in __all__})
