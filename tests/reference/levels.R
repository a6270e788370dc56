# A synthetic trial of patients with several visits, by providers in clinics, and what lme4 makes
# of it with one to three random intercepts.
#
#     Rscript tests/reference/levels.R tests/reference
#
# writes levels.csv and levels.json anew. Debian: apt-get install r-base-core r-cran-lme4
# r-cran-jsonlite. The versions used stand in levels.json.
suppressPackageStartupMessages({library(lme4); library(jsonlite)})
folder <- commandArgs(trailingOnly = TRUE)[1]

set.seed(21)
clinics <- 12
providers <- sample(2:4, clinics, replace = TRUE)
clinic <- rep(seq_len(clinics), providers)
provider <- sequence(providers)
patients <- sample(2:5, length(clinic), replace = TRUE)
clinic <- rep(clinic, patients)
provider <- rep(provider, patients)
unit <- as.integer(factor(paste(clinic, provider), levels = unique(paste(clinic, provider))))
visits <- sample(1:3, length(clinic), replace = TRUE)
patient <- rep(seq_along(clinic), visits)
clinic <- rep(clinic, visits); provider <- rep(provider, visits); unit <- rep(unit, visits)
n <- length(patient)
arm <- clinic %% 2
age <- rnorm(max(patient))[patient]
y <- 0.5 * age + arm * (0.4 + 0.3 * age) + 1.2 * rnorm(clinics)[clinic] +
  0.7 * rnorm(max(unit))[unit] + 0.6 * rnorm(max(patient))[patient] + rnorm(n)
trial <- data.frame(
  clinic = paste0("c", clinic), provider, patient = paste0("p", patient), arm,
  age = round(age, 4), y = round(y, 4), weight = round(runif(n, 0.5, 3), 2)
)
write.csv(trial, file.path(folder, "levels.csv"), row.names = FALSE, quote = FALSE)

tight <- lmerControl(optimizer = "nloptwrap", optCtrl = list(
  xtol_abs = 1e-12, ftol_abs = 1e-12, xtol_rel = 1e-12, ftol_rel = 1e-14, maxeval = 100000
))
random <- list(
  two_levels = y ~ arm * age + (1 | clinic) + (1 | clinic:provider),
  participants = y ~ arm * age + (1 | clinic) + (1 | patient),
  three_levels = y ~ arm * age + (1 | clinic) + (1 | clinic:provider) + (1 | patient)
)
mixed <- function(formula, weights) {
  trial$w <- weights
  fit <- lmer(formula, trial, weights = w, control = tight)
  found <- summary(fit)$coefficients
  parts <- as.data.frame(VarCorr(fit))
  variance <- function(group) parts$vcov[parts$grp == group]
  list(
    term = rownames(found), coefficient = unname(found[, "Estimate"]),
    se = unname(found[, "Std. Error"]), clinic = variance("clinic"),
    provider = variance("clinic:provider"), patient = variance("patient"),
    residual = variance("Residual"), restricted_log_likelihood = as.numeric(logLik(fit))
  )
}
values <- lapply(random, function(formula) {
  list(plain = mixed(formula, rep(1, n)), weighted = mixed(formula, trial$weight))
})
versions <- list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")))
write_json(list(versions = versions, models = values), file.path(folder, "levels.json"),
  digits = NA, auto_unbox = TRUE, pretty = TRUE)
