# Synthetic trials and what R's lme4 and mgcv fit to them, for tests/test_mixed_logit.py.
#   Rscript tests/reference/glmer_reference.R      (in the root of the repository)
# writes the tables glmer_*.csv and the values glmer_reference.json beside this script.
suppressMessages({library(lme4); library(mgcv); library(MASS); library(jsonlite)})
folder <- "tests/reference"
expit <- function(x) 1 / (1 + exp(-x))
set.seed(20261128)

# A cluster trial, 30 clusters in 10 blocks, with a 0/1 outcome and a count with person-time.
m <- 30
size <- 6 + rpois(m, 10)
cluster <- rep(seq_len(m), size)
block <- (seq_len(m) - 1) %/% 3 + 1
arm <- as.vector(replicate(m / 6, sample(rep(0:1, 3))))
n <- length(cluster)
level <- 0.9 * rnorm(m) + (0.8 * rnorm(m / 3))[block]
trial <- data.frame(cluster, block = block[cluster], arm = arm[cluster])
for (k in 1:8) trial[[paste0("x", k)]] <- round(rnorm(n), 3)
trial$weight <- round(runif(n, 0.5, 1.5), 2)
trial$weight <- trial$weight / mean(trial$weight)
eta <- -0.6 + 0.8 * trial$arm + 0.7 * trial$x1 - 0.3 * trial$x2 + level[cluster]
trial$y <- rbinom(n, 1, expit(eta))
trial$time <- round(runif(n, 0.2, 3), 2)
rate <- exp(-0.2 + 0.4 * trial$arm + 0.3 * trial$x1 + 0.6 * level[cluster])
trial$count <- rpois(n, trial$time * rate)
trial$scattered <- rpois(n, trial$time * rate * rgamma(n, 1.5, 1.5))
write.csv(trial, file.path(folder, "glmer_trial.csv"), row.names = FALSE)

# Events out of trials: three age groups in each of 24 villages.
villages <- 24
groups <- data.frame(village = rep(seq_len(villages), each = 3), age = rep(0:2, villages))
groups$arm <- (groups$village - 1) %% 2
groups$trials <- 5 + rpois(nrow(groups), 15)
level <- 0.9 * rnorm(villages)
log_odds <- -1.5 + 0.6 * groups$arm + 0.4 * groups$age + level[groups$village]
groups$events <- rbinom(nrow(groups), groups$trials, expit(log_odds))
write.csv(groups, file.path(folder, "glmer_groups.csv"), row.names = FALSE)

fine <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-11,
                     optCtrl = list(rhoend = 1e-9, maxfun = 1e5))
values <- function(fit) list(
  coefficients = unname(fixef(fit)),
  errors = unname(sqrt(diag(as.matrix(vcov(fit))))),
  sd = unname(attr(VarCorr(fit)[[1]], "stddev")),
  log_likelihood = as.numeric(logLik(fit)))
out <- list(versions = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
                            mgcv = as.character(packageVersion("mgcv"))))
for (nodes in c(1, 9)) {
  out[[paste0("binary_", nodes)]] <- values(glmer(
    y ~ arm + x1 + x2 + (1 | cluster), trial, binomial, nAGQ = nodes, control = fine))
  out[[paste0("groups_", nodes)]] <- values(glmer(
    cbind(events, trials - events) ~ arm + age + (1 | village), groups, binomial,
    nAGQ = nodes, control = fine))
  out[[paste0("counts_", nodes)]] <- values(glmer(
    count ~ arm + x1 + x2 + offset(log(time)) + (1 | cluster), trial, poisson,
    nAGQ = nodes, control = fine))
}

# Restricted penalised quasi-likelihood with the dispersion known: mgcv's bam (a variance is the
# inverse of a smoothing parameter, since the penalties are identity matrices).
trial$cluster <- factor(trial$cluster); trial$block <- factor(trial$block)
X <- as.matrix(trial[paste0("x", 1:8)])
XA <- (trial$arm - 0.5) * X
exact <- list(epsilon = 1e-12, maxit = 500)
penalised <- function(fit, names) list(
  coefficients = unname(coef(fit)[seq_along(names)]),
  errors = unname(sqrt(diag(fit$Vp)[seq_along(names)])),
  variances = unname(1 / fit$sp), names = names(fit$sp),
  predictor = unname(as.numeric(fit$linear.predictors)[1:10]))
fit <- bam(y ~ arm + x1 + x2 + s(cluster, bs = "re"), binomial, trial, method = "fREML",
           control = exact)
out$pql_binary <- penalised(fit, c("1", "arm", "x1", "x2"))
fit <- bam(count ~ arm + x1 + x2 + offset(log(time)) + s(cluster, bs = "re"), poisson, trial,
           method = "fREML", control = exact)
out$pql_counts <- penalised(fit, c("1", "arm", "x1", "x2"))
fit <- bam(y ~ arm + x1 + x2 + s(cluster, bs = "re") + s(block, bs = "re"), binomial, trial,
           weights = weight, method = "fREML", control = exact)
out$pql_nested_weighted <- penalised(fit, c("1", "arm", "x1", "x2"))
fit <- bam(y ~ arm + X + XA + s(cluster, bs = "re"), binomial, trial, method = "fREML",
           paraPen = list(X = list(diag(8)), XA = list(diag(8))), control = exact)
out$pql_blocks <- penalised(fit, c("1", "arm", colnames(X), paste0("a", colnames(X))))

# Negative binomial by moments: theta and the regression in turn.
theta <- 1
for (k in 1:200) {
  fit <- glm(scattered ~ arm + x1 + offset(log(time)), trial,
             family = negative.binomial(theta), control = list(epsilon = 1e-12, maxit = 200))
  theta <- theta.mm(trial$scattered, fitted(fit), fit$df.residual, limit = 200, eps = 1e-12)
}
out$negative_binomial <- list(coefficients = unname(coef(fit)),
                              overdispersion = 1 / as.numeric(theta))
write_json(out, file.path(folder, "glmer_reference.json"), digits = 12, auto_unbox = TRUE,
           pretty = TRUE)
