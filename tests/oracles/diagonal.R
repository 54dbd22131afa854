# Rscript diagonal.R rows.csv request.json: lmer with independent random effects, (0 + z1 | id) + (0 + z2 + z3 | id), by
# several optimisers; where no variance is zero, lmerTest's and pbkrtest's degrees of freedom and clubSandwich's CR2.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich); library(jsonlite)})
args <- commandArgs(TRUE)
d <- read.csv(args[1], colClasses = "numeric"); ask <- fromJSON(args[2], simplifyVector = FALSE)
x <- grep("^x[0-9]+$", names(d), value = TRUE)
part <- function(block) paste0("(0 +", paste0("z", unlist(block), collapse = "+"), "| id)")
f <- as.formula(paste("y ~ 0 +", paste(x, collapse = "+"), "+", paste(sapply(ask$blocks, part), collapse = "+")))
d$id <- factor(d$id)
quiet <- lmerControl(check.conv.singular = "ignore", calc.derivs = FALSE, check.conv.grad = "ignore", check.conv.hess = "ignore")
one <- function(reml) {
  lf <- lFormula(f, d, REML = reml, control = quiet)
  devfun <- do.call(mkLmerDevfun, lf)
  low <- lf$reTrms$lower
  fresh <- function() as.numeric(low == 0)  # a fresh one for each: minqa changes its start vector in place
  tries <- list(
    bobyqa = minqa::bobyqa(fresh(), devfun, lower = low, control = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 1e5)),
    nlminb = { o <- nlminb(fresh(), devfun, lower = low, control = list(rel.tol = 1e-15, x.tol = 1e-13, eval.max = 1e5, iter.max = 1e5)); list(par = o$par, fval = o$objective) })
  best <- tries[[which.min(sapply(tries, function(o) o$fval))]]
  fval <- devfun(best$par)
  m <- mkMerMod(environment(devfun), list(par = best$par, fval = fval, conv = 0), lf$reTrms, fr = lf$fr)
  v <- bdiag(lapply(VarCorr(m), function(a) matrix(as.numeric(a), nrow(a))))
  order <- unlist(ask$blocks)
  tau <- matrix(0, length(order), length(order)); tau[order, order] <- as.matrix(v)
  out <- list(deviance = unbox(fval), by_optimiser = lapply(tries, function(o) unbox(o$fval)), gamma = unname(fixef(m)),
              se = unname(sqrt(diag(as.matrix(vcov(m))))), tau = tau, sigma2 = unbox(sigma(m)^2), AIC = unbox(AIC(m)))
  if (ask$tests && reml) {
    start <- if (is.list(getME(m, "theta"))) getME(m, "theta") else as.numeric(best$par)
    t <- lmerTest::lmer(f, d, REML = TRUE, start = start, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 1e-4, rhoend = 1e-10)))
    L <- diag(length(x))
    df <- function(ddf) sapply(seq_along(x), function(k) contest1D(t, L[k, ], ddf = ddf)$df)
    se <- function(ddf) sapply(seq_along(x), function(k) contest1D(t, L[k, ], ddf = ddf)[["Std. Error"]])
    out$satterthwaite_df <- df("Satterthwaite"); out$kenward_roger_df <- df("Kenward-Roger"); out$kenward_roger_se <- se("Kenward-Roger")
    out$cr2_se <- unname(sqrt(diag(as.matrix(vcovCR(as(t, "lmerMod"), cluster = d$id, type = "CR2")))))
  }
  out
}
cat(toJSON(list(REML = one(TRUE), ML = one(FALSE)), digits = NA))
