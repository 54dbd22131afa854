"""The same models as posterior distributions.

`distributions`, `priors` and `prior_density`; `target` and `coordinates` (what is sampled); `marginal` (its
density, u and gamma integrated out), `unequal` (where log(sigma2) depends on variables), `kernel` and
`kernel_tables` (the same, compiled), `batch` (at many points); `direct` and `nuts` (samplers), `conditional`
(what is exact once the variances are drawn), `pymc_model` and `hierarchical` (PyMC); `sampling` and
`posterior` (the result), `container` (the one place for ArviZ's containers), `summaries`, `convergence`,
`predictive`, `evidence`, `prior_sensitivity`, `imputed_posterior`.
"""
