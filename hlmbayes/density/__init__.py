"""The density the posterior is drawn from, u and gamma integrated out.

`target` and `coordinates` (what is sampled), `prior_density`, `marginal` (one point), `batch` (many points),
`expansion` (sums over very many units as polynomials),
`kernel` and `kernel_tables` (the same, compiled), `unequal` (where log(sigma2) depends on variables),
`conditional` (what is exact once the variances are drawn).
"""
