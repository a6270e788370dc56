# One package of R on one trial: Rscript peers.R PACKAGE FOLDER SEED
# Reads trial.csv and new.csv in the folder, writes effects.csv: effect, low, high and, the same in
# every row, CPU seconds of the fit and peak resident mebibytes of this process.
arguments <- commandArgs(trailingOnly = TRUE)
package <- arguments[1]
folder <- arguments[2]
set.seed(as.integer(arguments[3]))
suppressMessages(library(package, character.only = TRUE))
trial <- read.csv(file.path(folder, "trial.csv"))
new <- read.csv(file.path(folder, "new.csv"))
names_x <- names(new)
if ("cluster" %in% names(trial)) trial$cluster <- factor(trial$cluster)
in_arm <- function(arm) {
  out <- transform(new, arm = arm)
  if ("cluster" %in% names(trial)) out$cluster <- trial$cluster[1]
  out
}
by_normal <- function(effect, variance) {
  error <- 1.959964 * sqrt(variance)
  data.frame(effect = effect, low = effect - error, high = effect + error)
}

fit_lme4 <- function() {
  right <- paste0("arm * (", paste(names_x, collapse = " + "), ") + (1 | cluster)")
  model <- suppressWarnings(suppressMessages(lmer(as.formula(paste("y ~", right)), data = trial)))
  fixed <- as.formula(paste("~ arm * (", paste(names_x, collapse = " + "), ")"))
  step <- model.matrix(fixed, in_arm(1)) - model.matrix(fixed, in_arm(0))
  step <- step[, names(fixef(model))]
  by_normal(as.vector(step %*% fixef(model)), rowSums((step %*% as.matrix(vcov(model))) * step))
}

fit_mgcv <- function() {
  trial$treated <- ordered(trial$arm)
  terms <- sapply(names_x, function(name) {
    k <- min(10, length(unique(trial[[name]])))
    if (k <= 5) return(paste0(name, " + arm:", name))
    paste0("s(", name, ", k = ", k, ") + s(", name, ", by = treated, k = ", k, ")")
  })
  right <- paste0("arm + ", paste(terms, collapse = " + "), " + s(cluster, bs = 're')")
  model <- gam(as.formula(paste("y ~", right)), data = trial, method = "REML")
  columns <- function(arm) {
    persons <- transform(in_arm(arm), treated = ordered(arm, levels = c(0, 1)))
    predict(model, persons, type = "lpmatrix")
  }
  step <- columns(1) - columns(0)
  by_normal(as.vector(step %*% coef(model)), rowSums((step %*% vcov(model)) * step))
}

fit_grf <- function() {
  clusters <- if ("cluster" %in% names(trial)) as.integer(trial$cluster) else NULL
  model <- causal_forest(
    as.matrix(trial[names_x]), trial$y, trial$arm,
    W.hat = 0.5, num.trees = 400, min.node.size = 5, sample.fraction = 0.45,
    clusters = clusters, num.threads = 1, seed = as.integer(arguments[3])
  )
  found <- predict(model, as.matrix(new), estimate.variance = TRUE, num.threads = 1)
  by_normal(found$predictions, found$variance.estimates)
}

fit_dbarts <- function() {
  model <- bart(
    trial[c(names_x, "arm")], trial$y,
    x.test = rbind(transform(new, arm = 1), transform(new, arm = 0)),
    ntree = 50, nskip = 50, ndpost = 50, nchain = 4, nthread = 1, verbose = FALSE
  )
  k <- nrow(new)
  draws <- model$yhat.test[, seq_len(k)] - model$yhat.test[, k + seq_len(k)]
  limits <- apply(draws, 2, quantile, c(0.025, 0.975))
  data.frame(effect = colMeans(draws), low = limits[1, ], high = limits[2, ])
}

fits <- list(lme4 = fit_lme4, mgcv = fit_mgcv, grf = fit_grf, dbarts = fit_dbarts)
time <- system.time(found <- fits[[package]]())
found$seconds <- time[["user.self"]] + time[["sys.self"]]
status <- grep("^VmHWM:", readLines("/proc/self/status"), value = TRUE)
found$peak <- as.numeric(gsub("[^0-9]", "", status)) / 1024
write.csv(found, file.path(folder, "effects.csv"), row.names = FALSE)
