# MASS::glmmPQL, and its own iterations (linearise, lme by ML) carried on until nothing changes
suppressPackageStartupMessages({library(MASS); library(nlme); library(jsonlite)})
arg <- commandArgs(TRUE); d <- read.csv(arg[1]); ask <- fromJSON(arg[2])
random <- as.formula(if (ask$q == 1) "~ 1 | id" else "~ x | id")
d$f <- d$y; d$trials <- 1; d$off <- 0
if (ask$family == "binomial") { d$f <- d$y / d$n; d$trials <- d$n } else d$off <- log(d$n)
family <- if (ask$family == "binomial") binomial(ask$link) else poisson()
control <- lmeControl(maxIter = 500, msMaxIter = 500, tolerance = 1e-10, msTol = 1e-12, returnObject = TRUE)
said <- function(m) list(gamma = unname(fixef(m)), sigma2 = m$sigma^2,
                         tau = unname(m$sigma^2 * as.matrix(pdMatrix(m$modelStruct$reStruct[[1]]))))
m <- suppressWarnings(glmmPQL(f ~ x + w + offset(off), random = random, family = family, data = d,
                              weights = trials, niter = 200, verbose = FALSE))
out <- list(glmmPQL = said(m))
eta <- fitted(m) + d$off # glmmPQL's fitted values leave the offset out
for (k in 1:200) {
  mu <- family$linkinv(eta); slope <- family$mu.eta(eta)
  d$z <- eta + (d$f - mu) / slope - d$off; d$wz <- d$trials * slope^2 / family$variance(mu); d$inv <- 1 / d$wz
  m <- lme(z ~ x + w, random = random, data = d, weights = varFixed(~ inv), method = "ML", control = control)
  new <- fitted(m) + d$off; change <- max(abs(new - eta)); eta <- new
  if (change < 1e-9) break
}
out$carried_on <- said(m)
out$change <- change
cat(toJSON(out, digits = NA, auto_unbox = TRUE))
