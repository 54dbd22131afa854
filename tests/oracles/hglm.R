# lme4 by Laplace and, of one random effect, by 9 and 25 nodes; glmmTMB by Laplace
suppressPackageStartupMessages({library(lme4); library(glmmTMB); library(jsonlite)})
arg <- commandArgs(TRUE); d <- read.csv(arg[1]); ask <- fromJSON(arg[2])
d$f <- d$y; if (ask$family == "binomial") d$f <- cbind(d$y, d$n - d$y)
form <- as.formula(paste("f ~", ask$formula, if (ask$family == "poisson") "+ offset(log(n))" else ""))
strict <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e6), tolPwrss = 1e-13,
                       check.conv.grad = "ignore", check.conv.singular = "ignore", check.conv.hess = "ignore")
said <- function(m) list(gamma = unname(fixef(m)), tau = unname(as.matrix(VarCorr(m)[[1]])[, ]),
                         se = unname(sqrt(diag(as.matrix(vcov(m))))))
true <- function(m) { # the log-likelihood with all its constants, whatever nAGQ
  -2 * as.numeric(logLik(m)) }
out <- list()
m <- suppressWarnings(glmer(form, d, family = ask$family, nAGQ = 1, control = strict))
out$laplace <- c(said(m), list(deviance = true(m)))
if (ask$q == 1) for (n in c(9, 25)) {
  m <- suppressWarnings(glmer(form, d, family = ask$family, nAGQ = n, control = strict))
  out[[paste0("nodes_", n)]] <- said(m)
}
if (ask$q == 1) {
  sink(stderr())
  r <- suppressMessages(suppressWarnings(performance::r2_nakagawa(m, tolerance = 1e-10)))
  sink()
  out$performance <- list(marginal = unname(r$R2_marginal), conditional = unname(r$R2_conditional))
}
g <- suppressWarnings(glmmTMB(form, d, family = ask$family))
out$glmmTMB <- list(gamma = unname(fixef(g)$cond), tau = unname(as.matrix(VarCorr(g)$cond[[1]])[, ]),
                    deviance = -2 * as.numeric(logLik(g)), se = unname(sqrt(diag(vcov(g)$cond))))
cat(toJSON(out, digits = NA, auto_unbox = TRUE))
