# Rscript profile.R rows.csv request.json: lme4::confint(profile) of an ML fit (lme4 profiles the ML deviance, whatever the fit).
suppressMessages({library(lme4); library(jsonlite)})
args <- commandArgs(TRUE)
d <- read.csv(args[1], colClasses = "numeric"); ask <- fromJSON(args[2])
pick <- function(s) grep(paste0("^", s, "[0-9]+$"), names(d), value = TRUE)
d$id <- factor(d$id)
f <- as.formula(paste("y ~ 0 +", paste(pick("x"), collapse = "+"), "+ (0 +", paste(pick("z"), collapse = "+"), "| id)"))
m <- lmer(f, d, REML = FALSE, start = ask$theta_ml, control = lmerControl(optimizer = "bobyqa",
          optCtrl = list(rhobeg = 1e-3, rhoend = 1e-9, maxfun = 1e5)))
ci <- suppressWarnings(confint(profile(m, signames = FALSE, delta = 0.1, devtol = 1e-6), level = 0.95))
cat(toJSON(list(names = rownames(ci), lower = unname(ci[, 1]), upper = unname(ci[, 2])), digits = NA))
