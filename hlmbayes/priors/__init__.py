"""Prior distributions: `distributions` and what a model's priors are (`priors`)."""
