"""Missing covariates drawn several times, and results pooled over the draws."""

import numpy as np
import pandas as pd
import pytest

import tauhat as th
from cli_runs import arguments, leave_out_the_slow, run_of, small_trial, small_trial_csv
from tauhat.cli.app import main
from tauhat.errors import TrialError
from tauhat.inference import (
    completed_trials,
    effects_over_imputations,
    pooled,
    pooled_tables,
)
from tauhat.inference.estimate import Estimate
from tauhat.numerics.imputation import IncompleteCovariate, draw_completed

ROLES = {"outcome": "y", "treatment": "arm", "cluster": "unit"}
NAMES = ["x", "z", "kind", "beds"]


def table(lost: float = 0.3) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(16), 15)
    x = rng.normal(size=240)
    level = np.linspace(-3, 3, 16)[unit]
    df = pd.DataFrame({"unit": unit, "arm": unit % 2, "x": x, "z": x + level})
    df["z"] += 0.1 * rng.normal(size=240)
    df["kind"] = np.where(x > 0.5, "a", np.where(x < -0.5, "b", "c"))
    df["beds"] = rng.normal(size=16)[unit]
    df["y"] = df.z + df.arm * (1 + df.x) + rng.normal(size=240)
    for name in ("z", "kind"):
        df.loc[rng.random(240) < lost, name] = np.nan
    df.loc[df.unit.isin([2, 5]), "beds"] = np.nan
    return df


def trial_of(df: pd.DataFrame, **changes: object) -> th.Trial:
    return th.Trial(df, **{**ROLES, "covariates": NAMES, **changes})


def test_draws_keep_covariates_clusters_and_categories_together() -> None:
    df = table()
    trial = trial_of(df)
    first, second = completed_trials(trial, 2)
    names = list(first.feature_names)
    rows = first.rows
    gone = df["z"].isna().to_numpy()[rows]
    x, z = (first.X[:, names.index(name)] for name in ("x", "z"))
    level = np.linspace(-3, 3, 16)[df["unit"].to_numpy()[rows]]
    # By the cluster and the other covariates, not the mean of all.
    assert np.abs((z - x - level)[gone]).mean() < 0.4
    assert not np.array_equal(z[gone], second.X[gone, names.index("z")])
    np.testing.assert_array_equal(first.X[~gone, names.index("z")], trial.data.X[~gone, 1])
    levels = [j for j, name in enumerate(names) if name.startswith("kind=")]
    assert set(first.X[:, levels].sum(axis=1)) <= {0.0, 1.0}
    beds = pd.Series(first.X[:, names.index("beds")]).groupby(first.clusters)
    assert (beds.nunique() == 1).all()


def test_neither_the_units_of_the_outcome_nor_the_order_of_rows_matter() -> None:
    df = table()
    found = th.average_effects(trial_of(df), imputations=3, random_state=4).individual
    shuffled = df.sample(frac=1, random_state=2)
    again = th.average_effects(trial_of(shuffled), imputations=3, random_state=4).individual
    assert again.estimate == pytest.approx(found.estimate, rel=1e-9)
    assert again.se == pytest.approx(found.se, rel=1e-9)
    parts = completed_trials(trial_of(df), 2)
    other = completed_trials(trial_of(df.assign(y=7 * df.y + 3)), 2)
    np.testing.assert_array_equal(parts[1].X, other[1].X)


def test_pooled_averages_are_those_of_all_draws() -> None:
    trial = trial_of(table())
    whole = th.average_effects(trial, imputations=4, random_state=1)
    parts = [th.average_effects(d).individual for d in completed_trials(trial, 4, random_state=1)]
    q, se = (np.array([getattr(one, name) for one in parts]) for name in ("estimate", "se"))
    assert whole.individual.estimate == pytest.approx(q.mean())
    total = (se**2).mean() + 1.25 * q.var(ddof=1)
    assert whole.individual.se == pytest.approx(np.sqrt(total))
    assert whole.individual.degrees_of_freedom < parts[0].degrees_of_freedom
    assert whole.cluster is not None
    assert "drawn 4 times" in whole.method


def test_with_every_covariate_seen_nothing_changes() -> None:
    df = table(0.0).drop(columns="beds")
    df.loc[df.index[::6], "y"] = np.nan
    trial = trial_of(df, covariates=["x", "z", "kind"])
    plain, drawn = th.average_effects(trial), th.average_effects(trial, imputations=3)
    assert drawn.individual == plain.individual
    assert plain.complete_cases is not None
    assert drawn.complete_cases is not None
    assert drawn.complete_cases.individual.estimate == pytest.approx(
        plain.complete_cases.individual.estimate, rel=1e-6
    )


def test_missing_outcomes_and_events_go_with_it() -> None:
    df = table()
    df["y"] = (df.y > df.y.median()).astype(float)
    found = th.average_effects(trial_of(df), imputations=3)
    assert found.individual_risks is not None
    assert found.individual_risks.ratio is not None
    assert found.individual_risks.difference == found.individual
    df.loc[df.index[::7], "y"] = np.nan
    found = th.average_effects(trial_of(df), imputations=3)
    assert "outcomes made for" in found.method
    assert found.complete_cases is not None
    assert found.complete_cases.individual_risks is not None


def test_rubins_rules_by_hand() -> None:
    three = [Estimate.from_t(q, 2.0, degrees_of_freedom=10, level=0.9) for q in (1.0, 3.0, 5.0)]
    one = pooled(three)
    assert one.estimate == 3
    assert one.se == pytest.approx(np.sqrt(4 + 4 * 4 / 3))
    share = (16 / 3) / (4 + 16 / 3)
    observed = 11 / 13 * 10 * (1 - share)
    assert one.degrees_of_freedom == pytest.approx(1 / (share**2 / 2 + 1 / observed))
    assert one.level == 0.9
    assert pooled([three[0]] * 3) == three[0]
    ratios = [Estimate.of_ratio(np.log(q), 0.1, degrees_of_freedom=50, level=0.95) for q in (1, 4)]
    assert pooled(ratios, of_ratio=True).estimate == pytest.approx(2)


def test_the_spread_of_draws_is_that_of_what_is_unknown() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 2))
    gone = rng.random(300) < 0.4
    one = IncompleteCovariate(np.array([1]), gone, False)
    ratios: dict[int, np.ndarray] = {}
    drawn = [draw_completed(x, np.arange(2), [one], None, rng, ratios)[gone, 1] for _ in range(80)]
    # Unrelated covariates: values as scattered as those observed, and means that vary over draws.
    assert np.mean([d.std() for d in drawn]) == pytest.approx(x[~gone, 1].std(), rel=0.1)
    means = np.std([d.mean() for d in drawn])
    expected = np.sqrt(1 / gone.sum() + 1 / (~gone).sum())
    assert 0.75 * expected < means < 1.35 * expected


@pytest.mark.parametrize("count", [1, 0, 2.5, True])
def test_a_wrong_number_of_imputations_is_refused(count: object) -> None:
    with pytest.raises(TrialError, match="imputations must be a whole number"):
        th.average_effects(trial_of(table()), imputations=count)


def test_arrays_do_not_know_what_is_missing() -> None:
    with pytest.raises(TrialError, match=r"need a tauhat\.Trial"):
        th.average_effects(trial_of(table()).data, imputations=5)
    with pytest.raises(TrialError, match="cannot be given together"):
        th.average_effects(trial_of(table()), imputations=5, target=table())


def test_tables_are_pooled_as_single_estimates_are() -> None:
    three = [Estimate.from_t(q, 2.0, degrees_of_freedom=22, level=0.95) for q in (1.0, 3.0, 5.0)]
    names = ["estimate", "se", "lower", "upper"]
    tables = [pd.DataFrame([{name: getattr(one, name) for name in names}]) for one in three]
    row, one = pooled_tables(tables).iloc[0], pooled(three)
    for name in names:
        assert row[name] == pytest.approx(getattr(one, name), rel=2e-3)


def test_effects_of_persons_are_as_wide_as_what_is_not_known_makes_them() -> None:
    df = table()
    df.loc[df.index[::9], "y"] = np.nan
    found = effects_over_imputations(
        trial_of(df), th.estimator("LMM"), imputations=3, random_state=2
    )
    trial = trial_of(df)
    assert found["row"].tolist() == list(range(trial.n))
    known = found["estimate"].to_numpy()
    fitted = np.ravel(trial.fit("LMM").effect(trial.X))
    assert np.corrcoef(known, fitted)[0, 1] > 0.7
    assert (found["lower"] < found["estimate"]).all()


def test_the_command_draws_missing_covariates(tmp_path, monkeypatch) -> None:
    leave_out_the_slow(monkeypatch)
    file, out = small_trial_csv(tmp_path), tmp_path / "out"
    df = small_trial()
    df["age"] = df["age"].where(df.index % 6 > 0)
    df.to_csv(file, index=False)
    assert main(arguments(file, out, "--imputations", "3")) == 0
    run = run_of(out)
    assert "missing covariates drawn 3 times" in run["average_effect"]["method"]
    # What is not drawn is said, with the numbers.
    assert run["average_effect"]["method"].endswith("fill them in once and mark them")
    assert "fill them in once and mark them" in (out / "report.html").read_text("utf-8")
    assert main(arguments(file, tmp_path / "other", "--imputations", "1")) == 2
