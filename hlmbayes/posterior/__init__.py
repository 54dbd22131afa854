"""The posterior as a result: `posterior`, `summaries`, `convergence`, `predictive`, `prior_sensitivity`."""
