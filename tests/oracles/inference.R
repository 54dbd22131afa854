# Rscript inference.R rows.csv request.json: lmerTest, pbkrtest and clubSandwich for one REML fit started at the given theta.
suppressMessages({library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich); library(jsonlite)})
args <- commandArgs(TRUE)
d <- read.csv(args[1], colClasses = "numeric"); ask <- fromJSON(args[2])
pick <- function(s) grep(paste0("^", s, "[0-9]+$"), names(d), value = TRUE)
x <- pick("x"); z <- pick("z"); d$id <- factor(d$id)
f <- as.formula(paste("y ~ 0 +", paste(x, collapse = "+"), "+ (0 +", paste(z, collapse = "+"), "| id)"))
m <- lme4::lmer(f, d, REML = TRUE, start = ask$theta_reml, control = lmerControl(optimizer = "bobyqa", check.conv.singular = "ignore",
     optCtrl = list(rhobeg = 1e-3, rhoend = 1e-10, maxfun = 1e5)))
mt <- as_lmerModLmerTest(m)
plain <- function(a) { a <- as.data.frame(a); rownames(a) <- NULL; a }
out <- list(theta = getME(m, "theta"), criterion = unbox(REMLcrit(m)))
if ("lmertest" %in% ask$parts) {
  out$satterthwaite <- plain(coef(summary(mt, ddf = "Satterthwaite")))
  out$satterthwaite_multi <- lapply(ask$contrasts, function(L) plain(contestMD(mt, as.matrix(L), ddf = "Satterthwaite")))
}
if ("kr" %in% ask$parts) {
  out$kr <- plain(coef(summary(mt, ddf = "Kenward-Roger")))
  out$kr_vcov <- unname(as.matrix(vcovAdj(m)))
  out$kr_multi <- lapply(ask$contrasts, function(L) {
    t <- KRmodcomp(m, as.matrix(L))$test
    list(Ftest = as.list(t["Ftest", ]), FtestU = as.list(t["FtestU", ])) })
}
if ("cr" %in% ask$parts) {
  one <- function(type) {
    v <- vcovCR(m, cluster = d$id, type = type)
    ct <- coef_test(m, vcov = v, test = "Satterthwaite")
    r <- list(vcov = unname(as.matrix(unclass(v))[seq_along(x), seq_along(x)]), se = ct$SE, t = ct$tstat, df = ct$df_Satt, p = ct$p_Satt)
    r$wald <- lapply(ask$contrasts, function(L) lapply(c(HTZ = "HTZ", chi_sq = "chi-sq", naive_f = "Naive-F"), function(w)
      plain(Wald_test(m, constraints = as.matrix(L), vcov = v, test = w))))
    r
  }
  out$cr <- lapply(c(CR0 = "CR0", CR1 = "CR1", CR2 = "CR2"), one)
}
cat(toJSON(out, digits = NA, auto_unbox = TRUE, matrix = "rowmajor"))
