"""The likelihood of a model from its units' moments.

`design` (Model and Moments to matrices in the units of the data), `orthonormal` (columns in which no digits
are lost), `system` (the design standardised), `planes` (algebra over units), `symmetric` (small symmetric
matrices), `evaluate` (sums over units at one tau / sigma2), `criterion` (deviance, score, Hessian,
information, EM step).
"""
