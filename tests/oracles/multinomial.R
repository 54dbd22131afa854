# nnet::multinom, without random effects: a logit of each category against the last
suppressPackageStartupMessages({library(nnet); library(jsonlite)})
d <- read.csv(commandArgs(TRUE)[1])
d$f <- relevel(factor(d$y), ref = as.character(max(d$y)))
m <- multinom(f ~ w + x, data = d, reltol = 1e-15, maxit = 1000, Hess = TRUE, trace = FALSE)
cat(toJSON(list(gamma = unname(coef(m)), se = unname(summary(m)$standard.errors), deviance = deviance(m)),
           digits = NA, auto_unbox = TRUE))
