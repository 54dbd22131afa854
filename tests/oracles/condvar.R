# Rscript condvar.R rows.csv request.json: ranef and condVar of an lmer REML fit evaluated at the given theta.
suppressMessages({library(lme4); library(jsonlite)})
args <- commandArgs(TRUE)
d <- read.csv(args[1], colClasses = "numeric"); ask <- fromJSON(args[2])
pick <- function(s) grep(paste0("^", s, "[0-9]+$"), names(d), value = TRUE)
d$id <- factor(d$id)
f <- as.formula(paste("y ~ 0 +", paste(pick("x"), collapse = "+"), "+ (0 +", paste(pick("z"), collapse = "+"), "| id)"))
lf <- lFormula(f, d, REML = TRUE, control = lmerControl(check.conv.singular = "ignore"))
devfun <- do.call(mkLmerDevfun, lf)
m <- mkMerMod(environment(devfun), list(par = ask$theta_reml, fval = devfun(ask$theta_reml), conv = 0), lf$reTrms, fr = lf$fr)
r <- ranef(m, condVar = TRUE)$id
v <- attr(r, "postVar")
cat(toJSON(list(u = unname(as.matrix(r)), condvar = lapply(seq_len(dim(v)[3]), function(k) matrix(v[, , k], dim(v)[1])),
                hat_trace = unbox(sum(hatvalues(m)))), digits = NA))
