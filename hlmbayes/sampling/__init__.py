"""Draws from the posterior: `direct`, `nuts`, `sampling`, `arrange`; by PyMC `pymc_model`, `hierarchical`."""
