"""From a model and data to estimates.

`prepare` is the way in, `estimates` the records that come out, `estimate` chooses. `exact` is the optimum:
`newton`, `optimum` (the search by faces), `starts` (where it begins), `zero_variance` and `identified` (the
boundary, and what the data cannot tell, in words); `hlm_fit` and `hlm_path` go HLM's own way;
`heterogeneous` and `heterogeneous_fit` estimate unequal level-1 variances.
"""
