"""From a likelihood to a `Fit`.

`newton`, `optimum` (the search by faces) and `zero_variance` (the boundary in words) are the algorithm
"exact"; `hlm_path` is HLM's own path; `heterogeneous` and `heterogeneous_fit` have unequal level-1
variances; `weights`, `weighted_fit` and `known_variance` the other likelihoods; `estimate` chooses among
them and `fit` holds the result.
"""
