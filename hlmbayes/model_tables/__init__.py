"""Models side by side, as papers show them: `columns` (what a model says), `table` (the rows), `saving`."""
