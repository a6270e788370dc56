# Reference values of tests/test_periods.py by R's MRStdLCRT 0.1.1 (Fang and Li).
# Rscript longitudinal.R > longitudinal.json   (in this folder; R 4.2.2, lme4 1.1-31)
# Rscript longitudinal.R package   prints those of the package's own data, which are not kept here.
suppressMessages(library(MRStdLCRT))
names_of <- c("h-iATE", "h-cATE", "v-iATE", "v-cATE")
averages <- function(d, outcome, covariates, cluster, period, intercepts) {
  terms <- c("trt", sprintf("factor(%s)", period), covariates, intercepts)
  fit <- suppressMessages(mrstdlcrt_fit(
    data = d, formula = as.formula(paste(outcome, "~", paste(terms, collapse = " + "))),
    cluster_id = cluster, period = period, trt = "trt", method = "lmer", family = "gaussian"
  ))
  estimate <- as.data.frame(fit$estimates)[2, names_of]
  error <- as.data.frame(fit$jk_se)[2, sprintf("SE(%s)", names_of)]
  list(estimate = unname(unlist(estimate)), se = unname(unlist(error)))
}
both <- function(d, outcome, covariates, cluster = "cluster", period = "period") {
  own <- sprintf("(1 | %s)", cluster)
  cells <- sprintf("(1 | %s:%s)", cluster, period)
  list(
    cluster = averages(d, outcome, covariates, cluster, period, own),
    nested = averages(d, outcome, covariates, cluster, period, c(own, cells))
  )
}
found <- if (identical(commandArgs(TRUE), "package")) {
  of_hospitals <- c("x_c01", "x_c02", "x_b01", "x_cat1_2", "x_cat1_3")
  list(
    sw_c = both(sw_c, "y", c("x1", "x2")),
    sw_b = both(sw_b, "y", c("x1", "x2")),
    xo_c = both(xo_c, "y_cont", of_hospitals, "h", "p"),
    xo_b = both(xo_b, "y_bin", of_hospitals, "h", "p")
  )
} else {
  list(
    stepped_wedge = both(read.csv("stepped_wedge.csv"), "y", c("x1", "x2")),
    cluster_crossover = both(read.csv("cluster_crossover.csv"), "y", c("x1", "x2"))
  )
}
cat(jsonlite::toJSON(found, digits = 10, auto_unbox = TRUE, pretty = TRUE), "\n")
