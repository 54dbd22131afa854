# Rscript lme4_fit.R rows.csv request.json: lmer by several optimisers, and lme4's own criterion at a given theta.
suppressMessages({library(lme4); library(jsonlite)})
args <- commandArgs(TRUE)
d <- read.csv(args[1], colClasses = "numeric")
ask <- fromJSON(args[2])
x <- grep("^x[0-9]+$", names(d), value = TRUE); z <- grep("^z[0-9]+$", names(d), value = TRUE)
f <- as.formula(paste("y ~ 0 +", paste(x, collapse = "+"), "+ (0 +", paste(z, collapse = "+"), "| id)"))
d$id <- factor(d$id)
quiet <- lmerControl(check.conv.singular = "ignore", calc.derivs = FALSE, check.rankX = "stop.deficient",
                     check.conv.grad = "ignore", check.conv.hess = "ignore")
one <- function(reml) {
  lf <- lFormula(f, d, REML = reml, control = quiet)
  devfun <- do.call(mkLmerDevfun, lf)
  low <- lf$reTrms$lower
  # A fresh start for each: minqa changes its start vector in place. Small first steps: with rhobeg 0.2 bobyqa runs into
  # theta_1 = 0, a point that is stationary in the Cholesky factor but no optimum in tau (random_only: 151 too high).
  fresh <- function() as.numeric(low == 0)
  tries <- list(
    bobyqa = minqa::bobyqa(fresh(), devfun, lower = low, control = list(rhobeg = 0.02, rhoend = 1e-9, maxfun = 1e5)),
    nelder_mead = { o <- Nelder_Mead(devfun, fresh(), lower = low, upper = rep(Inf, length(low)),
                    control = list(maxfun = 1e5, FtolAbs = 1e-12, FtolRel = 1e-15, XtolRel = 1e-10)); list(par = o$par, fval = o$fval) },
    nlminb = { o <- nlminb(fresh(), devfun, lower = low, control = list(rel.tol = 1e-15, x.tol = 1e-12, eval.max = 1e5, iter.max = 1e5)); list(par = o$par, fval = o$objective) },
    nloptwrap_default = { m <- suppressMessages(lmer(f, d, REML = reml, control = quiet)); list(par = getME(m, "theta"), fval = devfun(getME(m, "theta"))) })
  report <- function(theta) {
    fval <- devfun(theta)
    m <- mkMerMod(environment(devfun), list(par = theta, fval = fval, conv = 0), lf$reTrms, fr = lf$fr)
    v <- VarCorr(m)[[1]]
    list(criterion = unbox(fval), logLik = unbox(as.numeric(logLik(m))), AIC = unbox(AIC(m)), BIC = unbox(BIC(m)), gamma = unname(fixef(m)), vcov = unname(as.matrix(vcov(m))),
         tau = matrix(as.numeric(v), nrow(v)), sigma2 = unbox(sigma(m)^2), theta = theta)
  }
  best <- tries[[which.min(sapply(tries, function(o) o$fval))]]
  list(by_optimiser = lapply(tries, function(o) unbox(o$fval)), best = report(best$par),
       at_polished = if (reml) report(ask$theta_reml) else report(ask$theta_ml))
}
cat(toJSON(list(REML = one(TRUE), ML = one(FALSE)), digits = NA))
