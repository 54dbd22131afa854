# Rscript meta.R FOLDER: metafor::rma with profile-likelihood intervals, I2, H2 and prediction intervals.
suppressMessages({library(metafor); library(jsonlite)})
folder <- commandArgs(TRUE)[1]
files <- list(list("sites", NULL, NULL), list("bcg", NULL, NULL), list("bcg", "ablat", 44), list("raudenbush1985", NULL, NULL),
              list("raudenbush1985", "week3", 1))
one <- function(case, method, test) {
  d <- read.csv(file.path(folder, paste0(case[[1]], ".csv")))
  control <- list(threshold = 1e-14, maxiter = 10000, stepadj = 0.5, tau2.max = 1e4, xtol = 1e-13)
  mods <- if (is.null(case[[2]])) NULL else d[[case[[2]]]]
  fit <- function(m) if (is.null(mods)) rma(effect, v, data = d, method = m, test = test, control = control) else
    rma(effect, v, mods = mods, data = d, method = m, test = test, control = control)
  m <- fit(method)
  p <- if (is.null(mods)) predict(m) else predict(m, newmods = case[[3]])
  ci <- confint(m, type = "PL", control = list(tol = 1e-12, tau2.max = 1e4))$random
  list(tau2 = m$tau2, se = m$se, beta = as.numeric(m$beta), QE = m$QE, QEp = m$QEp, I2 = m$I2, H2 = m$H2, vt = m$vt,
       profile = unname(ci[, c("estimate", "ci.lb", "ci.ub")]),
       predict = c(p$pred, p$se, p$ci.lb, p$ci.ub, p$pi.lb, p$pi.ub))
}
out <- lapply(files, function(case) list(
  data = case[[1]], moderator = case[[2]], at = case[[3]],
  REML = list(z = one(case, "REML", "z"), t = one(case, "REML", "t")),
  ML = list(z = one(case, "ML", "z"), t = one(case, "ML", "t"))))
cat(toJSON(out, digits = NA, auto_unbox = TRUE, null = "null"))
