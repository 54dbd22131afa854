"""What users hold: thin faces over frozen records, `model`, `fit`, `posterior`, `pooled`, and the doors to them."""
