"""Tables and tests of a fit: HLM's own, and better ones.

`hlm_tables` (what HLM prints), `sandwich`, `small_sample` and `cluster_robust` (standard errors and
degrees of freedom), `hypotheses`, `compare`, `boundary`, `homogeneity` (tests), `profile`, `bootstrap`,
`variance_explained`, `least_squares` and `replicate_weights`.
"""
