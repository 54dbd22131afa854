# Rscript heterogeneous.R rows.csv request.json: nlme::lme by ML with log(sigma2) = a0 + a1 c1 + ... (varExp), the cross-check.
suppressMessages({library(nlme); library(jsonlite)})
args <- commandArgs(TRUE)
d <- read.csv(args[1], colClasses = "numeric")
pick <- function(s) grep(paste0("^", s, "[0-9]+$"), names(d), value = TRUE)
d$id <- factor(d$id)
fixed <- as.formula(paste("y ~ 0 +", paste(pick("x"), collapse = "+")))
random <- list(id = pdSymm(as.formula(paste("~ 0 +", paste(pick("z"), collapse = "+")))))
parts <- lapply(pick("c"), function(v) varExp(form = as.formula(paste("~", v))))
weights <- if (length(parts) == 1) parts[[1]] else do.call(varComb, parts)
m <- lme(fixed, d, random, weights = weights, method = "ML",
         control = lmeControl(maxIter = 200, msMaxIter = 500, niterEM = 50, msTol = 1e-12, tolerance = 1e-10,
                              returnObject = TRUE, opt = "nlminb", msMaxEval = 2000))
t2 <- 2 * coef(m$modelStruct$varStruct, unconstrained = FALSE)
tau <- as.matrix(getVarCov(m))
cat(toJSON(list(deviance = unbox(-2 * as.numeric(logLik(m))), gamma = unname(fixef(m)), alpha = unname(c(2 * log(m$sigma), t2)),
                tau = matrix(as.numeric(tau), nrow(tau))), digits = NA))
