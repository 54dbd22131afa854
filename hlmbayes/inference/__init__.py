"""Tables and tests of a fit: HLM's own, and better ones.

`hlm_tables` (what HLM prints); `covariances` (the kinds of standard errors and degrees of freedom), made by
`scores`, `small_sample`, `cluster_robust`; `component_errors` and `sandwich` (those of variances);
`compare` with `same_data`, `boundary`, `homogeneity` (tests); `intervals`, `profile` with
`profile_charts`, `bootstrap`; `least_squares`.
"""
