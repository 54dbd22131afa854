# What R says of its own examples: cbpp and grouseticks (glmer, 1 and 25 nodes), wine (clmm), Owls (glmmTMB), glm and clm.
suppressPackageStartupMessages({library(lme4); library(ordinal); library(glmmTMB); library(emmeans); library(jsonlite)})
strict <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-13,
                       check.conv.grad = "ignore", check.conv.singular = "ignore", check.conv.hess = "ignore")
wald <- function(b, V) { k <- seq_along(b)[-1]; c(b[k] %*% solve(V[k, k]) %*% b[k]) }
typical <- function(m, by, ...) { s <- as.data.frame(emmeans(m, by, ...)); n <- ncol(s)
  list(estimate = s[[2]], se = s$SE, low = s[[n - 1]], high = s[[n]]) }
said <- function(m, null) {
  ci <- suppressWarnings(confint(m, quiet = TRUE)); share <- suppressWarnings(performance::icc(m))
  r2 <- suppressWarnings(performance::r2_nakagawa(m))
  list(gamma = unname(fixef(m)), se = unname(sqrt(diag(as.matrix(vcov(m))))), tau = VarCorr(m)[[1]][1],
       loglik = as.numeric(logLik(m)), aic = AIC(m), bic = BIC(m), lr = anova(null, m)$Chisq[2],
       wald = wald(fixef(m), as.matrix(vcov(m))), profile = unname(ci[c(2:nrow(ci), 1), ]),
       icc = share$ICC_adjusted, r2 = c(r2$R2_marginal, r2$R2_conditional),
       at_zero = unname(predict(m, type = "response", re.form = NA)), mode = unname(ranef(m)[[1]][[1]])) }
both <- function(full, null, d, family) {
  out <- list()
  for (n in c(1, 25)) {
    m <- suppressWarnings(glmer(full, d, family = family, nAGQ = n, control = strict))
    m0 <- suppressWarnings(glmer(null, d, family = family, nAGQ = n, control = strict))
    out[[paste0("nodes_", n)]] <- said(m, m0)
  }
  c(out, list(link = typical(m, names(d)[1]), condvar = as.data.frame(ranef(m, condVar = TRUE))$condsd^2)) }
# Where Laplace's deviance has risen by the chi-square's 95 %, by glmmTMB: confint of lme4 has splines between points
laplace <- function(y, X, id, family, reach) {
  fit <- function(k, held = 0) { own <- if (is.null(k)) list(Z = X, o = rep(0, nrow(X))) else list(Z = X[, -k], o = held * X[, k])
    -2 * as.numeric(logLik(glmmTMB(y ~ 0 + Z + offset(o) + (1 | id), data = c(list(y = y, id = id), own), family = family))) }
  least <- fit(NULL); at <- fixef(glmmTMB(y ~ 0 + X + (1 | id), data = list(y = y, X = X, id = id), family = family))$cond
  rise <- function(held, k) fit(k, held) - least - qchisq(0.95, 1)
  t(sapply(seq_along(at), function(k) sapply(c(-1, 1), function(s)
    uniroot(rise, at[k] + s * reach[k] * c(1, 3), k = k, tol = 1e-7)$root))) }
folder <- commandArgs(TRUE)[1]; out <- list()
data(cbpp)
d <- cbpp[c("period", "herd", "incidence", "size")]
write.csv(data.frame(lapply(d, as.integer)), file.path(folder, "cbpp.csv"), row.names = FALSE)
y <- "cbind(incidence, size - incidence) ~"
out$cbpp <- both(as.formula(paste(y, "period + (1 | herd)")), as.formula(paste(y, "1 + (1 | herd)")), d, "binomial")
out$cbpp$laplace <- laplace(cbind(d$incidence, d$size - d$incidence), model.matrix(~ period, d), d$herd, binomial(),
                            out$cbpp$nodes_1$se)
out$cbpp$alone <- typical(glm(cbind(incidence, size - incidence) ~ period, binomial, d), "period", type = "response")
data(grouseticks)
d <- grouseticks[c("YEAR", "BROOD", "TICKS", "cHEIGHT")]
write.csv(data.frame(YEAR = as.integer(d$YEAR), BROOD = as.integer(d$BROOD), d[3:4]), file.path(folder, "grouseticks.csv"),
          row.names = FALSE)
out$grouseticks <- both(TICKS ~ YEAR + cHEIGHT + (1 | BROOD), TICKS ~ cHEIGHT + (1 | BROOD), d, "poisson")
out$grouseticks$laplace <- laplace(d$TICKS, model.matrix(~ YEAR + cHEIGHT, d), d$BROOD, poisson(),
                                   out$grouseticks$nodes_1$se)
out$grouseticks$alone <- typical(glm(TICKS ~ YEAR + cHEIGHT, poisson, d), "YEAR", type = "response")
data(wine)
d <- data.frame(judge = wine$judge, rating = wine$rating, temp = as.integer(wine$temp == "warm"),
                contact = as.integer(wine$contact == "yes"))
write.csv(data.frame(lapply(d, as.integer)), file.path(folder, "wine.csv"), row.names = FALSE)
for (n in c(1, 25)) {
  m <- clmm(rating ~ temp + contact + (1 | judge), data = d, nAGQ = n, control = clmm.control(gradTol = 1e-8))
  m0 <- clmm(rating ~ temp + (1 | judge), data = d, nAGQ = n, control = clmm.control(gradTol = 1e-8))
  r2 <- performance::r2(m)
  out$wine[[paste0("nodes_", n)]] <- list(
    alpha = unname(m$alpha), beta = unname(m$beta), se = unname(sqrt(diag(vcov(m)))[1:6]), tau = VarCorr(m)$judge[1],
    loglik = as.numeric(logLik(m)), aic = AIC(m), bic = BIC(m), lr = 2 * as.numeric(logLik(m) - logLik(m0)),
    icc = performance::icc(m)$ICC_adjusted, r2 = unname(c(r2$R2_marginal, r2$R2_conditional)), mode = unname(m$ranef))
}
# Random slopes of a factor, by Laplace's approximation
m <- clmm(rating ~ temp * contact + (temp | judge), data = d, control = clmm.control(gradTol = 1e-8))
out$wine_slopes <- list(alpha = unname(m$alpha), beta = unname(m$beta), tau = unname(VarCorr(m)$judge[1:2, 1:2]),
                        loglik = as.numeric(logLik(m)))
data(Owls)
d <- data.frame(nest = as.integer(Owls$Nest), food = as.character(Owls$FoodTreatment),
                parent = as.character(Owls$SexParent), arrival = Owls$ArrivalTime, calls = Owls$SiblingNegotiation,
                brood = Owls$BroodSize)
write.csv(d, file.path(folder, "owls.csv"), row.names = FALSE)
m <- glmmTMB(calls ~ food * parent + arrival + offset(log(brood)) + (food | nest), d, family = poisson)
e <- as.data.frame(emmeans(m, "food", offset = 0))
out$owls_slopes <- list(gamma = unname(fixef(m)$cond), se = unname(sqrt(diag(vcov(m)$cond))),
                        tau = unname(VarCorr(m)$cond$nest[1:2, 1:2]), loglik = as.numeric(logLik(m)), aic = AIC(m),
                        bic = BIC(m), means = e$emmean, means_se = e$SE)
cat(toJSON(out, digits = NA, auto_unbox = TRUE))
