"""Drawing from the posterior: `direct`, `nuts`, `evidence`, `sampling`; `pymc_model`, `hierarchical` (PyMC)."""
