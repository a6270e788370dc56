"""Estimators of individual effects: meta-learners, mixed models, forests."""
