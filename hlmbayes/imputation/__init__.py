"""Multiply imputed data and plausible values: `pooled_fit` and Rubin's rules (`rubin`)."""
