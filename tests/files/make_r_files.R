# Makes the R files of this folder: Rscript make_r_files.R (R 4.2.2). All values are made up.
d <- data.frame(
  pain = factor(c("low", "high", "mid", "low"), levels = c("low", "mid", "high"), ordered = TRUE),
  site = factor(c("north", "east", NA, "north"), levels = c("north", "east")),
  seen = as.Date(c("2019-04-14", NA, "2020-01-01", "2020-01-02")),
  at = as.POSIXct(c("2020-01-01 12:00:00", "2020-07-01 12:00:00", NA, "2020-01-01 00:00:00"),
                  tz = "America/New_York"),
  visits = c(1L, NA, 3L, 4L),
  weight = c(70.5, NA, NaN, 82),
  town = c("a", NA, "NA", "\u00c5rhus"),
  smoker = c(TRUE, NA, FALSE, TRUE),
  stringsAsFactors = FALSE
)
d$born <- structure(rep(18000L, 4), class = "Date")
d$arm <- structure(c(1, 2, 2, NA), labels = c(Low = 2, Vehicle = 1), label = "Arm given",
                   class = c("haven_labelled", "vctrs_vctr", "double"))
d$q <- structure(c(1, 99, 95, 2), labels = c(yes = 1, no = 2, Refused = 99), na_values = 99,
                 na_range = c(90, 98),
                 class = c("haven_labelled_spss", "haven_labelled", "vctrs_vctr", "double"))
d$stay <- as.difftime(c(1, 2, 3, 4), units = "hours")
attr(d$weight, "label") <- "Weight, kg"
saveRDS(d, "trial.rds", version = 3)
visits <- data.frame(id = 1:3)
save(d, file = "one.RData")
save(d, visits, file = "two.RData")
saveRDS(data.frame(x = 1:2, m = I(matrix(1:4, 2))), "matrix.rds")
