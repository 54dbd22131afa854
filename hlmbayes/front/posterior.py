"""Stub until merged."""
from ..posterior.posterior import Posterior, build, sample, load_posterior
