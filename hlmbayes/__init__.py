"""Two-level hierarchical linear models."""
