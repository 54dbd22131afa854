"""Residuals of both levels, from the moments where that is possible.

`quantities` (arrays), `frames` (tables), `files` (HLM's residual files), `influence` (units left out).
"""
