# Rscript mi.R mi.csv: lmer per data set, mitml::testEstimates and testModels (D1, D2, D3), mice::pool.
suppressMessages({library(lme4); library(mitml); library(mice); library(jsonlite)})
args <- commandArgs(TRUE)
all <- read.csv(args[1], colClasses = "numeric")
sets <- lapply(split(all, all$imp), function(d) { d$g <- d$ses - ave(d$ses, d$id); d$id <- factor(d$id); d })
sets <- unname(sets); class(sets) <- c("mitml.list", "list")
ctl <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 1e5), check.conv.singular = "ignore")
full <- function(reml) eval(bquote(with(sets, lmer(mathach ~ sector + g + g:sector + (1 | id), REML = .(reml), control = ctl))))
none <- function(reml) eval(bquote(with(sets, lmer(mathach ~ g + (1 | id), REML = .(reml), control = ctl))))
est <- function(f, df = NULL) { t <- testEstimates(f, extra.pars = TRUE, df.com = df)
  list(estimates = as.data.frame(t$estimates), row = rownames(t$estimates), extra = as.data.frame(t$extra.pars), extra_row = rownames(t$extra.pars)) }
tm <- function(a, b, ...) { t <- testModels(a, b, ...); as.list(as.data.frame(t$test)) }
F1 <- full(TRUE); F2 <- full(FALSE); N1 <- none(TRUE); N2 <- none(FALSE)
# mice::pool needs broom.mixed (not in Debian 12); its own rule, one coefficient at a time
scalar <- function(k, n) { o <- pool.scalar(sapply(F1, function(m) fixef(m)[k]), sapply(F1, function(m) vcov(m)[k, k]), n = n, k = 4)
  o[c("qbar", "ubar", "b", "t", "df", "r", "fmi")] }
out <- list(
  order = c("(Intercept)", "sector", "g", "sector:g"),
  testEstimates = est(F1), testEstimates_df232 = est(F1, 232),
  mice_pool_scalar = lapply(1:4, scalar, n = Inf), mice_pool_scalar_n240 = lapply(1:4, scalar, n = 240),
  D1 = tm(F1, N1, method = "D1"), D1_df232 = tm(F1, N1, method = "D1", df.com = 232),
  D2_wald = tm(F1, N1, method = "D2", use = "wald"), D2_lr = tm(F2, N2, method = "D2", use = "likelihood"),
  D3 = tm(F2, N2, method = "D3"), D4 = tryCatch(tm(F2, N2, method = "D4"), error = function(e) conditionMessage(e)),
  logLik_ML_full = sapply(F2, function(m) as.numeric(logLik(m))), logLik_ML_none = sapply(N2, function(m) as.numeric(logLik(m))))
cat(toJSON(out, digits = NA, auto_unbox = TRUE))
