"""Results from several fits: `rubin` and `pooled_fit`, `imputed_posterior`, `replicate_weights`."""
