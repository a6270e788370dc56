# A synthetic trial with counts over times at risk, and rates of both arms in new clusters by R's
# lme4, for tests/test_counts.py.
#   Rscript tests/reference/glmer_rates.R      (in the root of the repository)
# writes glmer_rates.csv and glmer_rates.json beside this script.
suppressMessages({library(lme4); library(jsonlite)})
folder <- "tests/reference"
set.seed(18)
m <- 60
size <- 15 + rpois(m, 15)
cluster <- rep(seq_len(m), size)
n <- length(cluster)
arm <- sample(rep(0:1, m / 2))[cluster]
trial <- data.frame(cluster, arm, x1 = round(rnorm(n), 3), x2 = round(rnorm(n), 3),
                    time = round(runif(n, 0.3, 2.5), 2))
eta <- 0.4 - 0.4 * arm + 0.4 * trial$x1 - 0.25 * trial$x2 + arm * (0.3 * trial$x1 - 0.2 * trial$x2)
trial$events <- rpois(n, trial$time * exp(eta + 0.4 * rnorm(m)[cluster]))
write.csv(trial, file.path(folder, "glmer_rates.csv"), row.names = FALSE)

fit <- glmer(events ~ arm * (x1 + x2) + offset(log(time)) + (1 | cluster), trial, poisson,
             nAGQ = 9, control = glmerControl(optimizer = "bobyqa", tolPwrss = 1e-11,
                                              optCtrl = list(rhoend = 1e-9, maxfun = 1e5)))
sd <- unname(attr(VarCorr(fit)[[1]], "stddev"))
at <- expand.grid(x1 = c(-1, 0, 1.5), x2 = c(-1, 1))
# The rate in a new cluster is exp(eta + sd^2 / 2): the mean of a lognormal variable.
rates <- sapply(0:1, function(a) {
  X <- model.matrix(~ arm * (x1 + x2), cbind(at, arm = a))
  exp(as.numeric(X %*% fixef(fit)) + sd^2 / 2)
})
gap <- model.matrix(~ arm * (x1 + x2), cbind(at, arm = 1)) -
  model.matrix(~ arm * (x1 + x2), cbind(at, arm = 0))
errors <- sqrt(diag(gap %*% as.matrix(vcov(fit)) %*% t(gap)))
write_json(list(R = R.version.string, lme4 = as.character(packageVersion("lme4")), sd = sd,
                at = as.matrix(at), rates = rates, log_ratio_errors = unname(errors)),
           file.path(folder, "glmer_rates.json"), digits = 10, auto_unbox = TRUE, pretty = TRUE)
