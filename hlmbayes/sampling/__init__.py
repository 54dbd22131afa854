"""Drawing from the posterior: `direct`, `nuts`, `evidence`, `sampling`; by PyMC `pymc_model`, `hierarchical`."""
