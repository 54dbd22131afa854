# Rscript contrasts.R rows.csv request.json: single combinations of fixed effects by lmerTest (contest1D) and clubSandwich.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich); library(jsonlite)})
args <- commandArgs(TRUE)
d <- read.csv(args[1], colClasses = "numeric"); ask <- fromJSON(args[2])
pick <- function(s) grep(paste0("^", s, "[0-9]+$"), names(d), value = TRUE)
x <- pick("x"); z <- pick("z"); d$id <- factor(d$id)
f <- as.formula(paste("y ~ 0 +", paste(x, collapse = "+"), "+ (0 +", paste(z, collapse = "+"), "| id)"))
m <- lme4::lmer(f, d, REML = TRUE, start = ask$theta_reml, control = lmerControl(optimizer = "bobyqa",
     optCtrl = list(rhobeg = 1e-3, rhoend = 1e-10, maxfun = 1e5)))
mt <- as_lmerModLmerTest(m)
L <- ask$contrasts; value <- ask$values
row <- function(a, names) setNames(as.list(a), names)
one <- function(ddf) lapply(seq_len(nrow(L)), function(k) {
  a <- contest1D(mt, L[k, ], rhs = value[k], ddf = ddf, confint = TRUE)
  row(unlist(a), c("estimate", "se", "df", "t", "low", "high", "p")) })
robust <- function(type, test) lapply(seq_len(nrow(L)), function(k) {
  a <- linear_contrast(m, vcov = vcovCR(m, cluster = d$id, type = type), contrasts = L[k, , drop = FALSE], test = test)
  list(estimate = a$Est, se = a$SE, df = a$df, low = a$CI_L, high = a$CI_U) })
wald <- Wald_test(m, constraints = L[1:2, ], vcov = vcovCR(m, cluster = d$id, type = "CR2"), test = "HTZ")
cat(toJSON(list(satterthwaite = one("Satterthwaite"), kenward_roger = one("Kenward-Roger"), CR2 = robust("CR2", "Satterthwaite"),
  CR1 = robust("CR1", "z"), CR0 = robust("CR0", "z"), HTZ = list(F = wald$Fstat, df = wald$df_num, df_denominator = wald$df_denom, p = wald$p_val)),
  digits = NA, auto_unbox = TRUE))
