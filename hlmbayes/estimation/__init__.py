"""From a likelihood to a `Fit`.

`newton`, `optimum` (the search by faces), `starts` (where it begins), `zero_variance` and `identified` (the
boundary, and what the data cannot tell, in words) are the algorithm "exact"; `hlm_path` is HLM's own path;
`heterogeneous` and `heterogeneous_fit` have unequal level-1 variances; `weights`, `weighted_fit` and
`known_variance` the other likelihoods; `estimate` chooses among them and `fit` holds the result.
"""
