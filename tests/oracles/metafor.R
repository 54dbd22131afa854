# Rscript metafor.R: metafor::rma on dat.bcg and dat.raudenbush1985 (package metadat); also writes the data to data/.
suppressMessages({library(metafor); library(jsonlite)})
args <- commandArgs(TRUE); folder <- args[1]
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
r85 <- dat.raudenbush1985
r85$week3 <- pmin(r85$weeks, 3)
num <- function(v) sprintf("%.15g", as.numeric(v))
write.csv(data.frame(study = bcg$trial, effect = num(bcg$yi), v = num(bcg$vi), ablat = bcg$ablat, year = bcg$year),
          file.path(folder, "bcg.csv"), row.names = FALSE, quote = FALSE)
write.csv(data.frame(study = r85$study, effect = num(r85$yi), v = num(r85$vi), weeks = r85$weeks, week3 = r85$week3),
          file.path(folder, "raudenbush1985.csv"), row.names = FALSE, quote = FALSE)
one <- function(d, mods, method, test) {
  control <- list(threshold = 1e-14, maxiter = 10000, stepadj = 0.5)
  m <- if (is.null(mods)) rma(yi, vi, data = d, method = method, test = test, control = control) else
       rma(yi, vi, mods = mods, data = d, method = method, test = test, control = control)
  list(tau2 = m$tau2, se_tau2 = m$se.tau2, beta = as.numeric(m$beta), vcov = unname(m$vb), se = m$se, zval = m$zval, pval = m$pval,
       ddf = m$ddf, QE = m$QE, QEp = m$QEp, QM = m$QM, QMp = m$QMp, I2 = m$I2, logLik = as.numeric(logLik(m)), deviance_minus2ll = -2 * as.numeric(logLik(m)))
}
out <- list()
for (case in list(list("bcg", bcg, NULL), list("bcg_ablat", bcg, ~ablat), list("raudenbush1985", r85, NULL),
                  list("raudenbush1985_weeks", r85, ~weeks), list("raudenbush1985_week3", r85, ~week3)))
  out[[case[[1]]]] <- sapply(c("REML", "ML"), function(me) sapply(c("z", "t"), function(te) one(case[[2]], case[[3]], me, te), simplify = FALSE), simplify = FALSE)
cat(toJSON(out, digits = NA, auto_unbox = TRUE))
