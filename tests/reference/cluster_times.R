# Reference values of tests/test_cluster_times.py by R's DRsurvCRT 0.0.1 (Fang and Li).
# Rscript cluster_times.R > cluster_times.json   (in this folder; R 4.2.2, survival 3.5-3)
suppressMessages(library(DRsurvCRT))
d <- read.csv("cluster_times.csv")
# Restricted means are given at times that were seen: the last that is no later than 24.
horizon <- max(d$time[d$time <= 24])
fit <- DRsurvfit(
  d, survival::Surv(time, event) ~ x1 + x2 + x3 + w + cluster(cluster),
  intv = "arm", method = "marginal", estimand = "RMTIF", variance = "jackknife"
)
at <- which.min(abs(fit$event_time - horizon))
stopifnot(abs(fit$event_time[at] - horizon) < 1e-9)
one <- function(means, variances) list(
  control = means[at, "R0"], treated = means[at, "R1"], estimate = means[at, "R1-R0"],
  se = sqrt(variances[at, "Var(R1-R0)"])
)
cat(jsonlite::toJSON(list(
  horizon = horizon,
  individual = one(fit$RMTIF_ind, fit$var_rmtif_ind),
  cluster = one(fit$RMTIF_cluster, fit$var_rmtif_cluster)
), digits = 10, auto_unbox = TRUE, pretty = TRUE), "\n")
