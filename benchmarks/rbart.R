# rbart_vi of dbarts on one trial: Rscript rbart.R FOLDER SEED [LIBRARY]
# Reads trial.csv (covariates, arm, cluster, y) and new.csv (covariates) in the folder, writes
# effects.csv: the effect of each new person and, the same in every row, CPU seconds. Chains are
# shorter than its defaults (1,500 and 1,500 thinned by 5); everything else is as it comes.
arguments <- commandArgs(trailingOnly = TRUE)
library <- if (length(arguments) > 2) arguments[3] else NULL
suppressMessages(base::library("dbarts", lib.loc = library, character.only = TRUE))
folder <- arguments[1]
trial <- read.csv(file.path(folder, "trial.csv"))
new <- read.csv(file.path(folder, "new.csv"))
both <- rbind(transform(new, arm = 1), transform(new, arm = 0))
# The intercept of whichever cluster drops out of the difference. It is an expression, not a
# variable: rbart_vi takes the first column of `test` for a variable that `test` does not hold.
time <- system.time(model <- rbart_vi(
  y ~ . - cluster, trial, test = both, group.by = trial$cluster, group.by.test = rep(trial$cluster[1], nrow(both)),
  n.chains = 4L, n.threads = 1L, n.burn = 1000L, n.samples = 800L, n.thin = 2L,
  keepTrees = FALSE, keepTrainingFits = FALSE, verbose = FALSE, seed = as.integer(arguments[2])
))
mean_of <- apply(model$yhat.test, length(dim(model$yhat.test)), mean)
k <- nrow(new)
effect <- mean_of[seq_len(k)] - mean_of[k + seq_len(k)]
found <- data.frame(effect = effect, seconds = time[["user.self"]])
write.csv(found, file.path(folder, "effects.csv"), row.names = FALSE)
