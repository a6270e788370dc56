# A synthetic trial of pupils of schools (randomized) and neighbourhoods, which cross, and what lme4
# makes of it with two or three random intercepts.
#
#     Rscript tests/reference/crossed.R tests/reference
#
# writes crossed.csv and crossed.json anew. Debian: apt-get install r-base-core r-cran-lme4
# r-cran-jsonlite. The versions used stand in crossed.json.
suppressPackageStartupMessages({library(lme4); library(jsonlite)})
folder <- commandArgs(trailingOnly = TRUE)[1]

set.seed(22)
schools <- 14
areas <- 9
n <- 260
school <- sample(schools, n, replace = TRUE)
area <- 1 + (school + sample(c(0, 0, 1, 2, 5), n, replace = TRUE)) %% areas
class <- sample(3, n, replace = TRUE)
arm <- school %% 2
age <- rnorm(n)
unit <- as.integer(factor(paste(school, class)))
y <- 0.5 * age + arm * (0.4 + 0.3 * age) + 0.8 * rnorm(schools)[school] +
  0.9 * rnorm(areas)[area] + 0.5 * rnorm(max(unit))[unit] + rnorm(n)
trial <- data.frame(
  school = paste0("s", school), area = paste0("a", area), class, arm,
  age = round(age, 4), y = round(y, 4), weight = round(runif(n, 0.5, 3), 2)
)
write.csv(trial, file.path(folder, "crossed.csv"), row.names = FALSE, quote = FALSE)

tight <- lmerControl(optimizer = "nloptwrap", optCtrl = list(
  xtol_abs = 1e-12, ftol_abs = 1e-12, xtol_rel = 1e-12, ftol_rel = 1e-14, maxeval = 100000
))
random <- list(
  crossed = y ~ arm * age + (1 | school) + (1 | area),
  crossed_and_nested = y ~ arm * age + (1 | school) + (1 | school:class) + (1 | area)
)
mixed <- function(formula, weights) {
  trial$w <- weights
  fit <- lmer(formula, trial, weights = w, control = tight)
  found <- summary(fit)$coefficients
  parts <- as.data.frame(VarCorr(fit))
  variance <- function(group) parts$vcov[parts$grp == group]
  list(
    term = rownames(found), coefficient = unname(found[, "Estimate"]),
    se = unname(found[, "Std. Error"]), school = variance("school"),
    class = variance("school:class"), area = variance("area"),
    residual = variance("Residual"), restricted_log_likelihood = as.numeric(logLik(fit))
  )
}
values <- lapply(random, function(formula) {
  list(plain = mixed(formula, rep(1, n)), weighted = mixed(formula, trial$weight))
})
versions <- list(R = as.character(getRversion()), lme4 = as.character(packageVersion("lme4")))
write_json(list(versions = versions, models = values), file.path(folder, "crossed.json"),
  digits = NA, auto_unbox = TRUE, pretty = TRUE)
