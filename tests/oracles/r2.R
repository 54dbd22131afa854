# R2 of lme4's fits by performance::r2_nakagawa: Rscript r2.R rows.csv request.json
suppressMessages({library(lme4); library(performance); library(jsonlite)})
args <- commandArgs(TRUE)
rows <- read.csv(args[1])
formulas <- fromJSON(args[2])$formulas
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 2e-3, rhoend = 1e-9, maxfun = 1e5))
found <- lapply(formulas, function(f) {
  fit <- lmer(as.formula(f), rows, REML = TRUE, control = control)
  r2 <- r2_nakagawa(fit)
  list(marginal = unname(r2$R2_marginal), conditional = unname(r2$R2_conditional), deviance = REMLcrit(fit))
})
cat(toJSON(found, auto_unbox = TRUE, digits = 12))
