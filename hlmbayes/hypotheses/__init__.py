"""Hypotheses about fixed effects: `combinations` as they are written, `contrasts`, `wald`."""
