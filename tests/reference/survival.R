# Reference values of tests/test_survival_curves.py by R's survival package.
# Rscript survival.R > survival.json   (in this folder; R 4.2.2, survival 3.5-3)
library(survival)
d <- read.csv("survival_times.csv")
h <- 24
rmst <- function(rows) {
  t <- summary(survfit(Surv(time, event > 0) ~ 1, data = d[rows, ]), rmean = h)$table
  unname(t[grep("rmean", names(t))])
}
by_arm <- lapply(0:1, function(a) rmst(d$arm == a))
# At top level: inside of a function pseudo() finds other rows when it reads the data again.
mean_time <- alive <- numeric(nrow(d))
for (a in 0:1) {
  rows <- d$arm == a
  fit <- survfit(Surv(d$time[rows], d$event[rows] > 0) ~ 1)
  mean_time[rows] <- pseudo(fit, times = h, type = "rmst")
  alive[rows] <- pseudo(fit, times = h, type = "pstate")
}
lost <- numeric(nrow(d))
incidence <- numeric(2)
for (a in 0:1) {
  rows <- d$arm == a
  state <- factor(d$event[rows], 0:2, c("censored", "one", "two"))
  fit <- survfit(Surv(d$time[rows], state) ~ 1)
  column <- which(fit$states == "one")
  lost[rows] <- pseudo(fit, times = h, type = "auc")[, column]
  incidence[a + 1] <- summary(fit, times = h)$pstate[, column]
}
cox <- coxph(Surv(time, event > 0) ~ ridge(x1, x2, theta = 10, scale = TRUE), data = d, ties = "breslow")
plain <- coxph(Surv(time, event > 0) ~ x1 + x2, data = d, ties = "breslow")
base <- basehaz(plain, centered = FALSE)
last <- max(which(base$time <= h))
number <- function(x) paste0("[", paste(formatC(x, digits = 12, format = "g"), collapse = ", "), "]")
cat("{\n")
cat(sprintf('  "rmst": %s,\n', number(sapply(by_arm, `[`, 1))))
cat(sprintf('  "rmst_se": %s,\n', number(sapply(by_arm, `[`, 2))))
cat(sprintf('  "pseudo_rmst": %s,\n', number(mean_time)))
cat(sprintf('  "pseudo_survival": %s,\n', number(alive)))
cat(sprintf('  "pseudo_time_lost": %s,\n', number(lost)))
cat(sprintf('  "incidence": %s,\n', number(incidence)))
cat(sprintf('  "cox": %s,\n', number(coef(plain))))
cat(sprintf('  "cox_ridge": %s,\n', number(coef(cox))))
cat(sprintf('  "baseline_hazard": %s\n', number(base$hazard[last])))
cat("}\n")
