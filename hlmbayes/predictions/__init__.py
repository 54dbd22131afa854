"""What a model says of other rows: predictions, simple slopes, adjusted means; of fits and posteriors alike.

`new_rows` (rows of the data's variables -> rows of the design), `reference` (typical rows), `predict`,
`slopes`, `means`.
"""
