"""What follows from estimates: correlations within units, ranges, shares of variance, predictions.

`variance_explained` (ICC, proportional reduction), `r2` (parts of the variance), `plausible`
(ranges of units).
"""
