"""The posterior as a result: a record of it, its tables, what follows from it, checks and predictions."""
