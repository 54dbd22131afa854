# Probabilities of categories at x = 0, 1 (w at its mean): emmeans of clm and multinom, which have no random
# effects, with differences; clmm's (25 nodes) integrated over u, errors by numDeriv from its vcov.
suppressMessages({library(ordinal); library(nnet); library(emmeans); library(numDeriv); library(jsonlite)})
d <- read.csv(commandArgs(TRUE)[1]); ask <- fromJSON(commandArgs(TRUE)[2])
d$f <- factor(d$y); at <- list(x = c(0, 1)); K <- nlevels(d$f)
frame <- function(m, value) { s <- as.data.frame(m); s <- s[order(s$f, s$x), ]
  list(probability = matrix(s[[value]], 2), se = matrix(s$SE, 2)) }
apart <- function(m) { s <- as.data.frame(pairs(m, by = "f", reverse = FALSE)); s <- s[order(s$f), ]
  list(estimate = s$estimate, se = s$SE, p = s$p.value) }
if (ask$law == "ordinal") {
  m <- emmeans(clm(f ~ x + w, data = d, control = list(gradTol = 1e-10)), ~ x | f, at = at, mode = "prob")
  big <- clmm(f ~ x + w + (1 | id), data = d, nAGQ = 25, control = clmm.control(gradTol = 1e-8))
  par <- c(big$alpha, big$beta, log(big$ST[[1]][1, 1]))
  chance <- function(par, x) {
    eta <- sum(par[K:(K + 1)] * c(x, mean(d$w))); sd <- exp(par[K + 2])
    below <- sapply(par[1:(K - 1)], function(a)
      integrate(function(u) plogis(a - eta - sd * u) * dnorm(u), -10, 10, rel.tol = 1e-12)$value)
    diff(c(0, below, 1)) }
  V <- vcov(big)
  each <- lapply(at$x, function(x) { G <- jacobian(function(p) chance(p, x), par)
    list(p = chance(par, x), se = sqrt(diag(G %*% V %*% t(G)))) })
  averaged <- list(probability = do.call(rbind, lapply(each, `[[`, "p")), se = do.call(rbind, lapply(each, `[[`, "se")))
  out <- list(emmeans = frame(m, "prob"), differences = apart(m), averaged = averaged)
} else {
  fit <- multinom(f ~ x + w, data = d, reltol = 1e-15, maxit = 1000, trace = FALSE)
  m <- emmeans(fit, ~ x | f, at = at, mode = "prob")
  out <- list(emmeans = frame(m, "prob"), differences = apart(m))
}
cat(toJSON(out, digits = NA, auto_unbox = TRUE))
