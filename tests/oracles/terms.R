# Rscript terms.R rows.csv request.json: lmer and lm with factors, products, powers, polynomials and splines.
suppressMessages({library(lme4); library(splines); library(jsonlite)})
args <- commandArgs(TRUE)
d <- read.csv(args[1])
d$track <- cut(d$ses, c(-Inf, -0.5, 0.5, Inf), labels = c("low", "middle", "high"))
d$track <- factor(as.character(d$track), levels = c("none", "low", "middle", "high"))  # "none" is unused
d$climate <- factor(ifelse(d$disclim < -0.5, "good", ifelse(d$disclim > 0.5, "bad", "usual")))
d$private <- d$sector
centred <- function(x) x - ave(x, d$id)
d$gses <- centred(d$ses)
d$mses <- d$ses - mean(d$ses)
d$gfemale <- centred(d$ses * d$female)
dummies <- function(contrasts) {
  track <- droplevels(d$track); contrasts(track) <- contrasts(nlevels(track)); model.matrix(~ track)[, -1]
}
treat <- dummies(contr.treatment); colnames(treat) <- NULL
d$t1 <- treat[, 1]; d$t2 <- treat[, 2]; d$gt1 <- centred(treat[, 1]); d$gt2 <- centred(treat[, 2])
first <- !duplicated(d$id); place <- match(d$id, d$id[first]); units <- d[first, ]
level2 <- function(basis) { class(basis) <- "matrix"; basis[place, , drop = FALSE] }
P2 <- level2(poly(units$pracad, 2)); B2 <- level2(bs(units$pracad, df = 4))
quiet <- lmerControl(optimizer = "bobyqa", calc.derivs = FALSE, check.conv.singular = "ignore", check.conv.grad = "ignore",
                     check.conv.hess = "ignore", optCtrl = list(rhobeg = 0.02, rhoend = 1e-10, maxfun = 1e5))
treatment <- list(track = "contr.treatment", climate = "contr.treatment")
sums <- list(track = "contr.sum", climate = "contr.sum")
fit <- function(formula, contrasts = NULL, data = d) {
  m <- suppressMessages(lmer(formula, data, control = quiet, contrasts = contrasts))
  list(formula = unbox(paste(deparse(formula), collapse = "")), deviance = unbox(REMLcrit(m)),
       gamma = unname(fixef(m)), tau = unname(matrix(as.numeric(VarCorr(m)[[1]]), nrow(VarCorr(m)[[1]]))), sigma2 = unbox(sigma(m)^2))
}
high <- d; high$track <- relevel(droplevels(d$track), "high")
models <- list(
  factor = fit(mathach ~ track + (1 | id), treatment["track"]),
  factor_sum = fit(mathach ~ track + (1 | id), sums["track"]),
  factor_reference = fit(mathach ~ track + (1 | id), data = high),
  factor_random = fit(mathach ~ track + (track | id), treatment["track"]),
  factor_random_sum = fit(mathach ~ track + (track | id), sums["track"]),
  factor_centred = fit(mathach ~ gt1 + gt2 + (1 | id)),
  factor_centred_random = fit(mathach ~ gt1 + gt2 + (gt1 + gt2 | id)),
  factor_level2 = fit(mathach ~ climate * gses + (gses | id), treatment["climate"]),
  factor_level2_sum = fit(mathach ~ climate * gses + (gses | id), sums["climate"]),
  factor_times_number = fit(mathach ~ track * female + (1 | id), treatment["track"]),
  factor_times_number_sum = fit(mathach ~ track * female + (1 | id), sums["track"]),
  factor_times_factor = fit(mathach ~ track * climate + (1 | id), treatment),
  product = fit(mathach ~ ses + female + I(ses * female) + (1 + I(ses * female) | id)),
  product_of_centred = fit(mathach ~ I(gses * female) + (1 + gses | id)),
  centred_product = fit(mathach ~ gfemale + (1 + gfemale | id)),
  product_level2 = fit(mathach ~ size + private + I(size * private) + (1 | id)),
  power = fit(mathach ~ ses + I(ses^2) + (1 | id)),
  power_of_centred = fit(mathach ~ mses + I(mses^2) + I(gses^3) + (1 + mses | id)),
  power_level2 = fit(mathach ~ pracad + I(pracad^2) + log(size) + (1 | id)),
  arithmetic = fit(mathach ~ sqrt(ses + 4) + exp(ses) + I(size / 1000) + (1 | id)),
  poly = fit(mathach ~ poly(ses, 3) + P2 + (1 | id)),
  bs = fit(mathach ~ bs(ses, df = 5) + B2 + (1 | id)))
shown <- round(seq(1, nrow(d), length.out = 40))
basis <- function(columns, fitted) list(columns = unclass(unname(matrix(as.numeric(columns[shown, ]), 40))), fitted = unname(fitted[shown]))
on <- function(columns) basis(columns, fitted(lm(d$mathach ~ columns)))
bases <- list("poly(ses, 3)" = on(poly(d$ses, 3)), "bs(ses, df=5)" = on(bs(d$ses, df = 5)), "bs(ses)" = on(bs(d$ses)),
              "bs(ses, df=6, degree=2)" = on(bs(d$ses, df = 6, degree = 2)), "poly(size, 2)" = on(poly(d$size, 2)))
cat(toJSON(list(rows = shown, models = models, bases = bases), digits = NA, matrix = "rowmajor"))
