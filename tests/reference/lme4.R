# Six synthetic trials, and what lme4, lmerTest and clubSandwich make of them.
#
#     Rscript tests/reference/lme4.R tests/reference
#
# writes <set>.csv and lme4.json anew. Debian: apt-get install r-base-core r-cran-lme4
# r-cran-lmertest r-cran-clubsandwich r-cran-jsonlite. The versions used stand in lme4.json.
suppressPackageStartupMessages({
  library(lmerTest); library(clubSandwich); library(jsonlite)
})
folder <- commandArgs(trailingOnly = TRUE)[1]

# Persons with two covariates of their own and one of their cluster; half the clusters treated.
trial <- function(seed, sizes, between, slope, scale = 1, origin = 0) {
  set.seed(seed)
  m <- length(sizes)
  cluster <- rep(seq_len(m), sizes)
  n <- length(cluster)
  arm <- sample(rep(0:1, length.out = m))[cluster]
  age <- rnorm(n) + 0.5 * rnorm(m)[cluster]
  sex <- rbinom(n, 1, 0.4)
  urban <- rnorm(m)[cluster]
  tau <- 0.4 + slope * age
  y <- 0.5 * age - 0.3 * sex + 0.4 * urban + arm * tau + sqrt(between) * rnorm(m)[cluster] + rnorm(n)
  weight <- round(runif(n, 0.5, 3), 2)
  data.frame(
    cluster = paste0("c", cluster), arm, age = round(age, 4), sex, urban = round(urban, 4),
    y = round(origin + scale * y, 4), weight
  )
}

sets <- list(
  equal_sizes = trial(1, rep(8, 16), 0.2, 0),
  unequal_sizes = trial(2, c(2, 3, 3, 4, 5, 5, 6, 8, 9, 10, 12, 14, 16, 20), 0.2, 0.5),
  few_clusters = trial(3, rep(15, 8), 0.3, 0.3),
  pairs_of_persons = trial(4, rep(2, 40), 0.8, 0.4),
  little_clustering = trial(5, rep(10, 14), 0.03, 0.3),
  blood_pressure = trial(6, rep(c(4, 9, 14), 5), 0.15, 0.4, scale = 18, origin = 140)
)
tight <- lmerControl(optimizer = "nloptwrap", optCtrl = list(
  xtol_abs = 1e-12, ftol_abs = 1e-12, xtol_rel = 1e-12, ftol_rel = 1e-14, maxeval = 100000
))
formulas <- list(
  adjusted = y ~ arm + age + sex + urban + (1 | cluster),
  interactions = y ~ arm + age + sex + urban + arm:age + arm:sex + arm:urban + (1 | cluster)
)

mixed <- function(formula, data, weights = NULL) {
  data$w <- if (is.null(weights)) rep(1, nrow(data)) else weights
  fit <- lmer(formula, data, weights = w, control = tight)
  found <- summary(fit)$coefficients
  parts <- as.data.frame(VarCorr(fit))
  list(
    term = rownames(found), coefficient = unname(found[, "Estimate"]),
    se = unname(found[, "Std. Error"]), satterthwaite_df = unname(found[, "df"]),
    between = parts$vcov[1], residual = parts$vcov[2],
    restricted_log_likelihood = as.numeric(logLik(fit))
  )
}

sandwich <- function(data, weights = NULL) {
  data$w <- if (is.null(weights)) rep(1, nrow(data)) else weights
  fit <- lm(y ~ arm + age + sex + urban, data, weights = w)
  lapply(list(CR0 = "CR0", CR2 = "CR2"), function(kind) {
    found <- coef_test(fit, vcovCR(fit, data$cluster, type = kind), test = "Satterthwaite")
    list(
      term = names(coef(fit)), coefficient = found$beta, se = found$SE,
      satterthwaite_df = found$df_Satt
    )
  })
}

# Are several coefficients zero together? Approximate Hotelling's T-squared.
together <- function(data) {
  fit <- lm(y ~ arm + age + sex + urban, data)
  V <- vcovCR(fit, data$cluster, type = "CR2")
  lapply(list(persons = c("age", "sex"), all = c("arm", "age", "sex", "urban")), function(terms) {
    found <- Wald_test(fit, constrain_zero(terms, coef(fit)), V, test = "HTZ")
    list(term = terms, F = found$Fstat, denominator = found$df_denom, p = found$p_val)
  })
}

values <- lapply(sets, function(data) {
  list(
    adjusted = mixed(formulas$adjusted, data),
    interactions = mixed(formulas$interactions, data),
    weighted = mixed(formulas$adjusted, data, data$weight),
    arms_only = mixed(y ~ arm + (1 | cluster), data),
    clubSandwich = sandwich(data),
    together = together(data)
  )
})
for (name in names(sets)) {
  write.csv(sets[[name]], file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
}
used <- c("lme4", "lmerTest", "clubSandwich")
versions <- as.list(c(
  R = as.character(getRversion()), sapply(used, function(p) as.character(packageVersion(p)))
))
write_json(list(versions = versions, sets = values), file.path(folder, "lme4.json"),
  digits = NA, auto_unbox = TRUE, pretty = TRUE)
