"""Figures of a fit and of a posterior. `hlmbayes.plots` is their front door; a file has its function's name.

`normality_plots`, `level1_plots`, `level2_plots`, `model_graphs`, `posterior_plots`, in one `plot_style` and
one `wording`; all that fit a model: `figure_set`.
"""
