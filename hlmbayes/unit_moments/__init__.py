"""One pass over the rows: each unit's number of rows, means and cross-products.

`accumulate` (the pass), `record` (`Moments`, which merge), `moments_file` (their file), `engines` and
`engine_sources` (the same aggregation run by DuckDB, Polars, Dask or Spark). The package is not called
"moments" because that is the function `hlmbayes.moments`.
"""
