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
# Johnson-Neyman: where the trend, linear in meanses, is as large as its interval (t with the d.f. of HLM)
ends <- emtrends(one, ~ meanses, var = "ses_c", at = list(meanses = c(0, 1)))
b <- as.data.frame(ends)$ses_c.trend; V <- vcov(ends); critical <- qt(0.975, 157)
excess <- function(w) { l <- c(1 - w, w); sum(l * b)^2 - critical^2 * drop(t(l) %*% V %*% l) }
limit <- function(low, high) uniroot(excess, c(low, high), tol = 1e-13)$root
found <- list(
  trends = table(emtrends(one, ~ sector, var = "ses_c")),
  trends_meanses = table(emtrends(one, ~ meanses, var = "ses_c", at = list(meanses = c(-0.5, 0.5)))),
  johnson_neyman = c(limit(-5, -b[1] / (b[2] - b[1])), limit(-b[1] / (b[2] - b[1]), 5)),
  means = table(emmeans(one, ~ sector)),
  pairs = table(pairs(emmeans(one, ~ sector))),
  means_minority = table(emmeans(two, ~ minority)),
  deviance = c(REMLcrit(one), REMLcrit(two))
)
cat(toJSON(found, auto_unbox = TRUE, digits = 12))
