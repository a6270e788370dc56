# Averages of an event by R's MRStdCRT 0.1.0 (Li and others), for tests/test_average_risks.py.
# Rscript mrstdcrt.R FOLDER > mrstdcrt.json   (in this folder; FOLDER holds the package's R files,
# as on GitHub in deckardt98/MRStdCRT; R 4.2.2, geepack, nlme). The package's own binary example is
# in later versions only; this is the table of glmer_trial.csv.
suppressMessages({library(dplyr); library(geepack); library(lme4); library(nlme)})
for (file in list.files(commandArgs(TRUE)[1], full.names = TRUE)) source(file)
d <- read.csv("glmer_trial.csv")
d <- as.data.frame(d[order(d$cluster), ] %>% group_by(cluster) %>% mutate(n = n()) %>% ungroup())
share <- rep(mean(tapply(d$arm, d$cluster, mean)), nrow(d))
formula <- y ~ x1 + x2 + cluster(n)
point <- function(d, share, scale) {
  MRStdCRT_point(formula, d, "cluster", "arm", share, gaussian(), "exchangeable", "GEE", scale)[[3]]
}
# The error of the package on the scale of logarithms, where it has that of the ratio itself.
error <- function(scale, of) {
  m <- length(unique(d$cluster))
  without <- sapply(unique(d$cluster), function(i) {
    of(point(d[d$cluster != i, ], share[d$cluster != i], scale)[1:2])
  })
  sqrt(apply(without, 1, var) * (m - 1)^2 / m)
}
found <- lapply(c(difference = "RD", ratio = "RR", odds_ratio = "OR"), function(scale) {
  of <- if (scale == "RD") identity else log
  list(estimate = point(d, share, scale)[1:2], se = error(scale, of))  # cluster, individual
})
cat(jsonlite::toJSON(found, digits = 8, auto_unbox = TRUE, pretty = TRUE), "\n")
