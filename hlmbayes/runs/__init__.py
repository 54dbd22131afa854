"""What a command file or equations ask for, and doing it: plain values in, results out, for any front end.

`jobs` (what is asked), `estimate` (the data read, the model estimated), `asked` (tests), `analysis` (one data
set), `pooled` (several), `sampled` (the posterior), `outputs` (files beside them), `results` (any of these).
"""
