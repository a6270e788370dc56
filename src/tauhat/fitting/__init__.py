"""What every learner is fitted through: the learners' view, regressions, the base of estimators."""
