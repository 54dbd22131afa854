"""Models whose outcome is not normal (HLM's HGLM): the likelihood by adaptive quadrature, its optimum.

`counted_rows` (equal rows counted once), `quadrature` (nodes), `modes` and `marginal` (the integral of each
unit, its score and information), `search` and `enough_nodes` (the optimum, by as many nodes as it takes),
`fixed_nodes` (by so many, and Laplace's), `separation` (outcomes without an estimate), `fit` (the one way in)
and `estimates` (the record). `ordinal_rows` and `cuts` make ordinal outcomes binary rows; the rows of
multinomial ones have several linear predictors (`category_design`, `category_layout`, `category_rows`; their
means are `category_averages`). `pql` is HLM's way, penalised quasi-likelihood, of the rows about their
linear predictors (`linear_rows`, `linear_ordinal`, `linear_categories`).
"""
