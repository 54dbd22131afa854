"""What users hold, thin faces over frozen records: `model`, `fit`, `posterior`, `pooled`, `replicates`."""
