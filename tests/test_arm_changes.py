"""What other arms change in scores of outcomes that are made, against outcomes made anew."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from tauhat._typing import FloatArray
from tauhat.data import TrialData
from tauhat.design import Clusters
from tauhat.design.permutations import person_groups
from tauhat.endpoint.missing import MissingOutcomes
from tauhat.inference.heterogeneity_comparison import unit_scores_of
from tauhat.inference.heterogeneity_components import person_scores
from tauhat.inference.informative_size import informative_size_p
from tauhat.numerics.missing_outcomes import made_outcome


def with_losses(n: int, seed: int) -> tuple[FloatArray, ...]:
    """Covariate, arm, an outcome that bends, and who has it, by arm and covariate."""
    rng = np.random.default_rng(seed)
    x, arm = rng.normal(size=n), rng.permutation(np.arange(n) % 2)
    y = 2 * x**2 + rng.normal(size=n)
    return x, arm, y, rng.random(n) < 1 / (1 + np.exp(-0.5 - x * (1 - 2 * arm)))


def refitted(seen: FloatArray, log_odds: FloatArray, columns: FloatArray) -> FloatArray:
    """Log odds of being seen with columns more, by maximum likelihood."""
    found = log_odds.copy()
    for _ in range(8):
        chance = 1 / (1 + np.exp(-found))
        weighted = columns * (chance * (1 - chance))[:, None]
        found += columns @ np.linalg.solve(weighted.T @ columns, columns.T @ (seen - chance))
    return found


def test_scores_move_as_outcomes_that_are_made_anew_with_other_arms() -> None:
    n = 1500
    x, arm, y, seen = with_losses(n, 1)
    columns, everybody = [x[:, None]], np.arange(n)
    # The model of the outcome is straight, so that who is likely to be seen matters.
    made = made_outcome(
        np.where(seen, y, 0.0), seen, arm, columns, columns, None, everybody % 5,
        by_arm=False, permuted=everybody,
    )  # fmt: skip
    basis = x**3 - np.mean(x**3)
    correction = made.with_arms.corrections(basis[:, None])[:, 0]
    log_odds = np.log(made.probability / (1 - made.probability))
    expected = np.where(seen, (made.values - y / made.probability) / (1 - 1 / made.probability), 0)
    residual = np.where(seen, y - expected, 0.0)
    rng = np.random.default_rng(2)
    exact, told = [], []
    for _ in range(40):
        half = rng.permutation(arm) - 0.5
        moved = refitted(seen, log_odds, np.column_stack([half, half * x]))
        change = seen * residual * (np.exp(-moved) - np.exp(-log_odds))
        exact.append(4 / n * half @ (basis * change))
        told.append(4 / n * half @ correction)
    assert np.corrcoef(exact, told)[0, 1] > 0.9
    assert 0.8 < np.linalg.norm(told) / np.linalg.norm(exact) < 1.25
    # With the arms as they were, the models fit already.
    assert abs(4 / n * (arm - 0.5) @ correction) < 0.1 * np.std(told)


def trial_of(in_clusters: bool, seed: int = 3) -> th.Trial:
    n = 480
    x, arm, y, seen = with_losses(n, seed)
    df = pd.DataFrame({"x": x, "z": np.roll(x, 7), "y": np.where(seen, y, np.nan), "arm": arm})
    if not in_clusters:
        return th.Trial(df, outcome="y", treatment="arm", covariates=["x", "z"])
    df["clinic"] = np.arange(n) // 20
    df["arm"] = df.clinic % 2
    return th.Trial(df, outcome="y", treatment="arm", covariates=["x", "z"], cluster="clinic")


@pytest.mark.parametrize("in_clusters", [True, False])
def test_the_test_permutes_outcomes_made_anew(
    in_clusters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = trial_of(in_clusters)
    given = {"random_state": 1, "n_permutations": 499}
    anew = th.test_heterogeneity(trial, **given)
    after = MissingOutcomes.after

    def once(self: MissingOutcomes, made: object) -> MissingOutcomes:
        return MissingOutcomes(self.observed, self.auxiliary, after(self, made).probability)

    monkeypatch.setattr(MissingOutcomes, "after", once)
    held = th.test_heterogeneity(trial, **given)
    assert anew.p_value != held.p_value
    # What was observed hardly moves: the models fit the arms as they were.
    apart = anew.modifiers.set_index("covariate").statistic
    apart -= held.modifiers.set_index("covariate").statistic
    assert apart.abs().max() < 0.35


def enrolled(trial: th.Trial) -> TrialData:
    return trial.enrolled_data.with_outcome_made_anew("shared", with_arms=True)


def test_groups_of_persons_have_the_sums_of_their_scores() -> None:
    data = enrolled(trial_of(in_clusters=False))
    scores = person_scores(data, np.full(2, True))
    assert scores.with_arms is not None
    groups = person_groups(data.design.arm, data.design.strata, 1)
    for basis in scores.bases.values():
        single = unit_scores_of(basis, scores, data, None).scores
        grouped = unit_scores_of(basis, scores, data, groups)
        sums, squares = np.zeros((2, len(groups.arm), basis.shape[1]))
        np.add.at(sums, groups.number, single)
        np.add.at(squares, groups.number, single**2)
        np.testing.assert_allclose(grouped.scores, sums, atol=1e-9)
        np.testing.assert_allclose(grouped.grouped[1], squares, atol=1e-9)


def test_nothing_is_corrected_where_nobody_lacks_an_outcome() -> None:
    trial = trial_of(in_clusters=True)
    complete = trial.data.with_outcome_made_anew("shared", with_arms=True)
    assert complete.missing is None
    assert person_scores(complete, np.full(2, True)).with_arms is None
    # Some of the persons have outcomes made of all, which change with other arms in another way.
    data = enrolled(trial)
    assert data.take(np.arange(data.n) > 100).missing.with_arms is None


def test_informative_sizes_are_permuted_with_outcomes_made_anew() -> None:
    rng = np.random.default_rng(5)
    size, left, moved = rng.uniform(5, 50, 8), rng.normal(size=8), rng.normal(size=8)
    arm = np.arange(8) % 2
    design = Clusters.of(arm, np.arange(8))

    def statistic(treated: tuple[int, ...]) -> float:
        one = np.isin(np.arange(8), treated)
        means = [
            (size[own] @ left[own]) / size[own].sum() + (moved - left)[own].mean()
            for own in (one, ~one)
        ]
        return abs(means[0] - means[1])

    every = [statistic(treated) for treated in combinations(range(8), 4)]
    own = statistic(tuple(np.flatnonzero(arm)))
    p = informative_size_p(left, size, 0.0, design, moved)
    assert p == pytest.approx(np.mean(np.array(every) >= own * (1 - 1e-9)))
    assert p != informative_size_p(left, size, 0.0, design)
    assert informative_size_p(left, size, 0.0, design, np.ones(8)) == informative_size_p(
        left, size, 0.0, design
    )
