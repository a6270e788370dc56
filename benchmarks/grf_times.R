# grf's causal survival forest on one trial: Rscript grf_times.R FOLDER HORIZON
# Reads trial.csv (time, event, arm, cluster if clusters were randomized, covariates) and new.csv in
# the folder and writes effects.csv: effect, low, high and, the same in every row, CPU seconds.
# Everything but the known probability of treatment is grf's default.
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
suppressMessages(library(grf))
trial <- read.csv(file.path(folder, "trial.csv"))
new <- read.csv(file.path(folder, "new.csv"))
time <- system.time({
  forest <- causal_survival_forest(
    as.matrix(trial[names(new)]), trial$time, trial$arm, trial$event,
    W.hat = 0.5, target = "RMST", horizon = as.numeric(arguments[2]),
    clusters = trial$cluster, num.threads = 1, seed = 1
  )
  found <- predict(forest, as.matrix(new), estimate.variance = TRUE, num.threads = 1)
})
half <- qnorm(0.975) * sqrt(found$variance.estimates)
effects <- data.frame(
  effect = found$predictions, low = found$predictions - half, high = found$predictions + half,
  cpu = time[["user.self"]] + time[["sys.self"]]
)
write.csv(effects, file.path(folder, "effects.csv"), row.names = FALSE)
