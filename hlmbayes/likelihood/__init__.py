"""The likelihood of a model from its units' moments.

`design` (Model and Moments to matrices in the units of the data), `system` (the same, standardised),
`planes` (algebra over units), `evaluate` (sums over units at one tau / sigma2), `weighted` (its twin for
weighted units), `criterion` (deviance, score, Hessian, information, EM step).
"""
