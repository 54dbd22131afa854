# ordinal::clmm: Laplace's approximation, and 25 nodes where there is one random effect
suppressPackageStartupMessages({library(ordinal); library(jsonlite)})
arg <- commandArgs(TRUE); d <- read.csv(arg[1]); ask <- fromJSON(arg[2])
d$f <- factor(d$y)
form <- as.formula(paste("f ~ x + w +", if (ask$q == 1) "(1 | id)" else "(x | id)"))
said <- function(m) list(alpha = unname(m$alpha), beta = unname(m$beta), tau = unname(as.matrix(VarCorr(m)$id)[, ]),
                         deviance = -2 * as.numeric(logLik(m)), se = unname(sqrt(diag(vcov(m)))[1:(length(m$alpha) + 2)]))
strict <- clmm.control(gradTol = 1e-6)
out <- list(laplace = said(suppressWarnings(clmm(form, data = d, control = strict))))
if (ask$q == 1) out$nodes_25 <- said(suppressWarnings(clmm(form, data = d, nAGQ = 25, control = strict)))
cat(toJSON(out, digits = NA, auto_unbox = TRUE))
