# Time lme4::lmer, glmmTMB or nlme::lme on one case: Rscript tool_lmer.R FOLDER FORMULA TOOL REPEATS; prints JSON.
a <- commandArgs(TRUE)
folder <- a[1]; repeats <- as.integer(a[4])
sizes <- jsonlite::fromJSON(file.path(folder, "sizes.json"))
column <- function(name) readBin(file.path(folder, paste0(name, ".bin")), "double", sizes[[name]])
d <- as.data.frame(sapply(c("id", "y", "xc"), column, simplify = FALSE))
for (w in c("w1", "w2")) d[[w]] <- column(w)[d$id + 1]
d$id <- factor(d$id)
memory <- function(which) {
  line <- grep(which, readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
package <- c(lmer = "lme4", glmmTMB = "glmmTMB", "nlme optim" = "nlme")[[a[3]]]
suppressWarnings(suppressMessages(library(package, character.only = TRUE)))
said <- character()
fit <- function() {
  said <<- character()
  withCallingHandlers(
    if (a[3] == "lmer") lmer(as.formula(a[2]), d)
    else if (a[3] == "glmmTMB") glmmTMB(as.formula(a[2]), d, REML = TRUE)
    else lme(as.formula(sub(" \\+ \\(.*", "", a[2])), d, random = ~ xc | id,
             control = lmeControl(opt = if (a[3] == "nlme optim") "optim" else "nlminb")),
    warning = function(w) { said <<- c(said, conditionMessage(w)); invokeRestart("muffleWarning") },
    message = function(m) { said <<- c(said, conditionMessage(m)); invokeRestart("muffleMessage") })
}
before <- memory("VmRSS")
seconds <- numeric()
for (i in seq_len(repeats)) {
  clock <- proc.time()[["elapsed"]]
  m <- fit()
  seconds <- c(seconds, proc.time()[["elapsed"]] - clock)
}
peak <- memory("VmHWM") - before
if (a[3] == "lmer") {
  tau <- matrix(as.numeric(VarCorr(m)$id), 2); sigma2 <- sigma(m)^2
} else if (a[3] == "glmmTMB") {
  tau <- matrix(as.numeric(VarCorr(m)$cond$id), 2); sigma2 <- sigma(m)^2
} else {
  tau <- matrix(as.numeric(getVarCov(m)), 2); sigma2 <- m$sigma^2
}
cat(jsonlite::toJSON(list(seconds = seconds, peak = peak, tau = tau, sigma2 = sigma2, messages = unique(said),
                          converged = length(said) == 0), digits = NA, auto_unbox = FALSE), "\n")
