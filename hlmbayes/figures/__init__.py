"""Figures, of a fit and of a posterior: `plot_style`, `level1_plots`, `level2_plots`, `model_graphs`,
`posterior_plots`, and all that fit a model (`figure_set`); `hlmbayes.plots` is their front door.
"""
