"""The heterogeneity test on real trials."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from heterogeneity_trials import rejections
from tauhat.inference import test_heterogeneity

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="real trial data are not on this machine")


@needs_data
def test_school_trial_differs_by_sex():
    """The reference mixed model has treatment by female -1.10 (SE .42)."""
    school = pd.read_csv(DATA / "schoolrct_brazil.csv")
    y, arm, clusters = school.outcome_test_score, school.treatment, school.school
    known = school.is_female.notna()
    sex = school.loc[known, ["is_female"]]
    planned = test_heterogeneity((sex, y[known], arm[known], clusters[known]), random_state=1)
    assert planned.p_value < 0.05
    assert planned.modifiers.direction[0] == "larger effect at smaller values"
    X = school.drop(columns=["outcome_test_score", "treatment", "school"])
    start = time.process_time()
    everything = test_heterogeneity((X.fillna(X.median()), y, arm, clusters), random_state=1)
    assert time.process_time() - start < 30
    assert everything.modifiers.covariate[0] == "is_female"
    assert everything.modifiers.p_value[0] < 0.05


def star():
    """Covariates, score in mathematics, small class, class, school of the kindergarten pupils."""
    star = pd.read_csv(DATA / "star_kindergarten.csv")
    star = star[star.cltype.isin(["small", "reg"]) & (star.class_n >= 5) & star.math.notna()]
    star = star.reset_index(drop=True)
    X = pd.DataFrame(
        {
            "girl": star.female,
            "black": (star.eth == "B").astype(float),
            "free lunch": (star.ses == "F").astype(float),
            "born": star.age_1985_09.fillna(star.age_1985_09.median()),
            "teacher's years": star.exp.fillna(star.exp.median()),
        }
    )
    return X, star.math, (star.cltype == "small").astype(int), star.class_id, None, star.school_id


def permuted_copies(trial, copies):
    """The trial with the arms of whole clusters exchanged within blocks: nothing can modify."""
    X, y, arm, clusters, _, blocks = trial
    units = pd.DataFrame({"arm": arm, "cluster": clusters, "block": blocks}).drop_duplicates()
    for seed in range(copies):
        rng = np.random.default_rng(seed)
        dealt = units.groupby("block").arm.transform(lambda a, r=rng: r.permutation(a.to_numpy()))
        new = pd.Series(dealt.to_numpy(), index=units.cluster)
        yield X, y, new.loc[clusters].to_numpy(), clusters, None, blocks


@needs_data
def test_star_is_compared_within_its_schools():
    """A published model has no interaction with free lunch (.28, SE 3.02): none is found here."""
    trial = star()
    result = test_heterogeneity(trial, random_state=1)
    # One of the 79 schools has classes of one arm only.
    assert "whole clusters permuted within 78 strata" in result.method
    modifiers = result.modifiers.set_index("covariate")
    assert modifiers.p_adjusted["free lunch"] > 0.2
    assert modifiers.varies["teacher's years"] == "between clusters"
    assert list(result.table.component) == ["linear", "curvature", "products", "cluster-level"]


@needs_data
def test_attention_trial_shows_no_heterogeneity():
    """2,480 persons and an average effect of about zero."""
    paid = pd.read_csv(DATA / "attentionrct_payday.csv").dropna()
    X = paid.drop(columns=["treatment", *(c for c in paid if c.startswith("outcome"))])
    result = test_heterogeneity(
        (X, paid.outcome_correct_ans_per_second, paid.treatment), random_state=1
    )
    assert result.p_value > 0.05
    assert result.modifiers.p_adjusted.min() > 0.05


def most_rejections(trials):
    """A number that a test at 5 % exceeds once in a thousand sets of trials."""
    return binom.isf(0.001, trials, 0.05)


@needs_data
def test_permuted_copies_of_star_do_not_reject_beyond_chance():
    rejected = rejections(permuted_copies(star(), 30), n_permutations=199)
    assert 30 * rejected <= most_rejections(30)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("trial", ["star", "schools", "attention"])
def test_many_permuted_copies_of_real_trials(trial):
    if trial == "star":
        copies = permuted_copies(star(), 400)
    elif trial == "schools":
        school = pd.read_csv(DATA / "schoolrct_brazil.csv")
        school = school[school.school.isin(np.sort(school.school.unique())[::14])]
        X = school.drop(columns=["outcome_test_score", "treatment", "school"])
        given = (X.fillna(X.median()), school.outcome_test_score, school.treatment, school.school)
        copies = permuted_copies((*given, None, np.zeros(len(school))), 400)
    else:
        paid = pd.read_csv(DATA / "attentionrct_payday.csv").dropna()
        X = paid.drop(columns=["treatment", *(c for c in paid if c.startswith("outcome"))])
        copies = (
            (
                X,
                paid.outcome_correct_ans_per_second,
                np.random.default_rng(s).permutation(paid.treatment),
            )
            for s in range(100)
        )
    trials = 100 if trial == "attention" else 400
    assert trials * rejections(copies, n_permutations=199) <= most_rejections(trials)
