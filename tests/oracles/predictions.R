# Adjusted means, trends and predictions of lme4's fits by emmeans: Rscript predictions.R rows.csv request.json
suppressMessages({library(lme4); library(emmeans); library(jsonlite)})
emm_options(lmer.df = "asymptotic")
args <- commandArgs(TRUE)
rows <- read.csv(args[1])
rows$sector <- factor(rows$sector); rows$minority <- factor(rows$minority)
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 2e-3, rhoend = 1e-9, maxfun = 1e5))
table <- function(x) lapply(split(as.data.frame(summary(x)), seq_len(nrow(as.data.frame(summary(x))))), as.list)
one <- lmer(mathach ~ ses_c * (sector + meanses) + minority + (1 + ses_c | id), rows, control = control)
two <- lmer(mathach ~ poly(ses, 2, raw = TRUE) + minority + sector + (1 | id), rows, control = control)
found <- list(
  trends = table(emtrends(one, ~ sector, var = "ses_c")),
  trends_meanses = table(emtrends(one, ~ meanses, var = "ses_c", at = list(meanses = c(-0.5, 0.5)))),
  means = table(emmeans(one, ~ sector)),
  pairs = table(pairs(emmeans(one, ~ sector))),
  means_minority = table(emmeans(two, ~ minority)),
  deviance = c(REMLcrit(one), REMLcrit(two))
)
cat(toJSON(found, auto_unbox = TRUE, digits = 12))
