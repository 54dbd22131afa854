"""Models whose outcome is not normal (HLM's HGLM): the likelihood by adaptive quadrature, its optimum.

`counted_rows` (equal rows counted once), `quadrature` (nodes), `modes` and `marginal` (the integral of each
unit, its score and information), `search` (the optimum).
"""
