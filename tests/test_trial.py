"""Roles of a trial's columns: what is accepted, what is refused and how, what is counted."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tauhat._typing import FloatArray
from tauhat.data import TrialData, validate_trial
from tauhat.errors import DesignError, TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.fitting.nuisance import Nuisance, NuisanceFit
from tauhat.tables.reading import read_table
from tauhat.trial.trial import Trial

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def individual(n: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "patient": [f"p{k}" for k in range(n)],
            "arm": np.resize(["usual", "new"], n),
            "age": rng.normal(60, 10, n).round(1),
            "sex": rng.choice(["f", "m"], n),
            "site": np.resize(["north", "north", "south", "south"], n),
            "y": rng.normal(size=n),
        }
    )


def clustered(m: int = 8, size: int = 5) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    clinic = np.repeat(np.arange(m), size)
    return pd.DataFrame(
        {
            "clinic": clinic,
            "arm": np.where(clinic % 2 == 0, "usual", "new"),
            "region": clinic // 2,
            "urban": (clinic % 3 == 0).astype(float),
            "age": rng.normal(60, 10, m * size).round(1),
            "y": rng.normal(size=m * size),
        }
    )


def plain(df: pd.DataFrame, **arguments: object) -> Trial:
    roles: dict[str, object] = {"outcome": "y", "treatment": "arm", "control": "usual"}
    return Trial(df, **{**roles, **arguments})  # type: ignore[arg-type]


def test_arrays_follow_the_table_and_the_roles() -> None:
    df = individual()
    trial = plain(df, id="patient", block="site", covariates=["sex", "age"])
    assert trial.X.columns.tolist() == ["sex=m", "age"]
    np.testing.assert_array_equal(trial.X["age"], df["age"])
    np.testing.assert_array_equal(trial.treatment, (df["arm"] == "new").astype(int))
    np.testing.assert_array_equal(trial.y, df["y"])
    assert trial.id is not None
    assert trial.id.tolist() == df["patient"].tolist()
    assert trial.blocks is not None
    assert trial.blocks.tolist() == df["site"].tolist()
    assert (trial.n, trial.n_clusters, trial.design) == (40, None, "individual")
    assert trial.clusters is None
    assert trial.propensity is None
    assert trial.arm_labels == ("usual", "new")
    assert trial.covariate_names == ("sex", "age")
    assert trial.cluster_level_names == ()


def test_iterating_gives_the_arguments_of_fit_in_their_order() -> None:
    trial = plain(clustered(), cluster="clinic", block="region", propensity=0.5)
    data = validate_trial(*trial)
    assert data.n == 40
    assert data.n_units == 8
    assert data.feature_names == tuple(trial.X.columns)
    assert (data.propensity == 0.5).all()
    assert data.blocks is not None
    assert len(np.unique(data.blocks)) == 4
    assert data.sample_weight is None


@pytest.mark.parametrize(
    ("labels", "control", "expected"),
    [
        ([0, 1], None, (0, 1)),
        ([1.0, 0.0], None, (0.0, 1.0)),
        ([True, False], None, (False, True)),
        (["0", "1"], None, ("0", "1")),
        ([0, 1], 1, (1, 0)),
        ([0, 1], "1", (1, 0)),
        ([2, 1], 2, (2, 1)),
        (["a", "b"], "b", ("b", "a")),
    ],
)
def test_arms_are_coded_from_two_labels(
    labels: list[object], control: object, expected: tuple[object, object]
) -> None:
    df = individual().assign(arm=np.resize(np.array(labels, dtype=object), 40))
    trial = plain(df, control=control, covariates=["age"])
    assert trial.arm_labels == expected
    np.testing.assert_array_equal(trial.treatment, (df["arm"] == expected[1]).astype(int))


def test_an_unused_category_is_no_arm() -> None:
    df = individual()
    df["arm"] = pd.Categorical(df["arm"], categories=["usual", "new", "stopped"])
    assert plain(df, covariates=["age"]).arm_labels == ("usual", "new")


def test_two_of_three_arms_can_be_chosen_and_the_rest_are_counted() -> None:
    df = individual(60).assign(arm=np.resize(["a", "b", "c"], 60))
    df.loc[0, "age"] = 999.0
    trial = plain(df, control=None, arms=("c", "b"), covariates=["age"])
    assert trial.n_excluded == 20
    assert trial.n == 40
    assert set(trial.rows) == set(np.flatnonzero(df["arm"] != "a"))
    np.testing.assert_array_equal(trial.treatment, (df["arm"].iloc[trial.rows] == "b").astype(int))
    assert "20 rows of other arms were left out." in trial.notes


def test_rows_without_an_outcome_are_left_out_counted_and_said() -> None:
    df = individual().set_index("patient", drop=False)
    df.loc[["p3", "p7"], "y"] = np.nan
    trial = plain(df, id="patient")
    assert trial.n == 38
    assert trial.n_missing_outcome == 2
    assert trial.X.index.tolist() == list(range(38))
    assert trial.rows.tolist() == [k for k in range(40) if k not in (3, 7)]
    np.testing.assert_array_equal(trial.frame["age"], df["age"].iloc[trial.rows])
    assert "2 persons without an outcome are left out of models only (missing=)." in trial.text


def test_covariates_default_to_all_columns_without_a_role_and_this_is_said() -> None:
    trial = plain(clustered(), cluster="clinic", block="region")
    assert trial.covariate_names == ("urban", "age")
    assert not trial.covariates_named
    assert "all 2 columns without another role are used: urban, age" in trial.notes[0]


def test_cluster_level_covariates_are_found_or_named() -> None:
    df = clustered()
    assert plain(df, cluster="clinic").cluster_level_names == ("region", "urban")
    named = plain(df, cluster="clinic", covariates=["age"], cluster_covariates=["urban"])
    assert named.covariate_names == ("age", "urban")
    assert named.cluster_level_columns == ("urban",)
    with pytest.raises(TrialError, match="'age' varies within 8 of 8 clusters"):
        plain(df, cluster="clinic", cluster_covariates=["age"])


def test_a_named_cluster_covariate_is_completed_within_clusters() -> None:
    df = clustered()
    df.loc[[0, 6], "urban"] = np.nan
    trial = plain(df, cluster="clinic", covariates=["age"], cluster_covariates=["urban"])
    np.testing.assert_array_equal(trial.X["urban"], clustered()["urban"])
    np.testing.assert_array_equal(trial.encode(df)["urban"], clustered()["urban"])


def test_cluster_size_counts_everyone_enrolled() -> None:
    df = clustered().drop(index=[0, 1])
    df.loc[2, "y"] = np.nan
    trial = plain(df, cluster="clinic", covariates=["age"], cluster_size=True)
    assert trial.X["cluster size"].tolist()[:3] == [3.0, 3.0, 5.0]
    assert trial.cluster_level_names == ("cluster size",)
    new = pd.DataFrame({"age": [50.0, 50.0, 50.0], "clinic": [0, 99, 99]})
    assert trial.encode(new)["cluster size"].tolist() == [3.0, 2.0, 2.0]
    told = pd.DataFrame({"age": [50.0], "cluster size": [12]})
    assert trial.encode(told)["cluster size"].tolist() == [12.0]
    with pytest.raises(TrialError, match="'cluster size', or 'clinic' to count it"):
        trial.encode(pd.DataFrame({"age": [50.0]}))
    both = plain(df, cluster="clinic", covariates=["age"], cluster_size=True, log_cluster_size=True)
    np.testing.assert_array_equal(both.X["log cluster size"], np.log(both.X["cluster size"]))
    assert both.encode(new)["log cluster size"].tolist() == np.log([3.0, 2.0, 2.0]).tolist()
    with pytest.raises(TrialError, match="log_cluster_size=True needs cluster="):
        plain(individual(), covariates=["age"], log_cluster_size=True)


def test_encoding_the_analysed_rows_again_gives_the_same_numbers() -> None:
    df = individual()
    df.loc[[2, 9], "age"] = np.nan
    trial = plain(df, id="patient")
    again = trial.encode(df.iloc[trial.rows])
    np.testing.assert_array_equal(again.to_numpy(), trial.X.to_numpy())


def test_propensity_by_block_follows_the_block() -> None:
    df = individual()
    trial = plain(df, block="site", covariates=["age"], propensity={"north": 0.4, "south": 0.6})
    expected = np.where(df["site"] == "north", 0.4, 0.6)
    np.testing.assert_array_equal(trial.propensity, expected)


@pytest.mark.parametrize("library", ["narwhals", "pyarrow"])
def test_other_tables_are_the_same_trial(library: str) -> None:
    module = pytest.importorskip(library)
    convert = module.from_native if library == "narwhals" else module.Table.from_pandas
    trial = plain(convert(individual()), id="patient")
    pd.testing.assert_frame_equal(trial.X, plain(individual(), id="patient").X)


def test_input_is_left_alone_and_later_changes_do_not_reach_the_trial() -> None:
    df = clustered()
    df.loc[0, "urban"] = np.nan
    before = df.copy(deep=True)
    trial = plain(df, cluster="clinic", cluster_covariates=["urban"], cluster_size=True)
    pd.testing.assert_frame_equal(df, before)
    digest = plain(before, cluster="clinic", cluster_covariates=["urban"]).data_sha256
    df["age"] = 0.0
    assert trial.data_sha256 == digest


def test_fingerprint_is_of_the_columns_used() -> None:
    df = individual()
    digest = plain(df, covariates=["age"]).data_sha256
    assert len(digest) == 64
    assert plain(df.assign(sex="?"), covariates=["age"]).data_sha256 == digest
    assert plain(df.assign(age=df["age"] + 1), covariates=["age"]).data_sha256 != digest


def test_pickle_and_display() -> None:
    df = individual().rename(columns={"age": "<b>age</b>"})
    trial = plain(df, id="patient")
    copy = pickle.loads(pickle.dumps(trial))
    pd.testing.assert_frame_equal(copy.X, trial.X)
    assert repr(trial) == "Trial(n=40, arms=usual 20 / new 20, covariates=3)"
    assert "<b>age" not in trial._repr_html_()
    assert trial.table.loc[trial.table["item"] == "outcome", "value"].item() == "y"


def broken(**columns: object) -> pd.DataFrame:
    return individual().assign(**columns)


@pytest.mark.parametrize(
    ("df", "arguments", "words"),
    [
        (broken(), {"outcome": "yy"}, r"outcome: there is no column 'yy'"),
        (broken(), {"covariates": ["agee"]}, r"no column 'agee'; did you mean 'age'"),
        (broken(), {"covariates": "age"}, r"write covariates=\['age'\]"),
        (broken(), {"covariates": ["age", "y"]}, "'y' cannot be both outcome and a covariate"),
        (broken(), {"block": "arm"}, "'arm' cannot be both treatment and block"),
        (broken(), {"covariates": []}, "no covariates"),
        (broken(), {"control": None}, r"'new' \(20\), 'usual' \(20\); say which.*control='new'"),
        (broken(), {"control": "placebo"}, r"no arm 'placebo'; the arms are 'new'"),
        (broken(arm="usual"), {}, r"one arm only, 'usual' \(40\)"),
        (
            broken(arm=np.resize(["a", "b", "c"], 40)),
            {"control": None},
            r"3 arms: 'a' \(14\), 'b' \(13\), 'c' \(13\); say which is the control",
        ),
        (broken(arm=["usual", None] + ["new"] * 38), {}, "missing in 1 of 40 rows"),
        (broken(), {"arms": ("usual", "usual")}, "'usual' twice"),
        (broken(), {"arms": ("new", "usual"), "control": "usual"}, "not the first of arms"),
        (broken(y=np.resize(["yes", "no"], 40)), {}, "'no' and 'yes'; say with event_value="),
        (broken(y=["bad"] + ["1.5", "2"] * 19 + ["2"]), {}, "'y' holds 1 value.*'bad'"),
        (broken(y=np.nan), {}, "'y' is missing in all 40 rows"),
        (broken(y=1.0), {}, "'y' is constant"),
        (broken(y=pd.date_range("2020-01-01", periods=40)), {}, "'y' holds dates"),
        (broken(y=[np.inf, *range(39)]), {}, "'y' holds 1 infinite"),
        (broken(), {"covariates": ["patient", "age"]}, "looks like an identifier"),
        (broken(), {"cluster_covariates": ["age"]}, "cluster= is not"),
        (broken(), {"cluster_size": True}, "cluster_size=True needs cluster="),
        (broken(), {"propensity": 1.0}, "strictly between 0 and 1"),
        (broken(), {"propensity": "half"}, "propensity must be a number"),
        (broken(), {"propensity": {"north": 0.5}}, "block= is not given"),
        (broken(), {"propensity": {"north": 0.5}, "block": "site"}, "no number for block 'south'"),
        (broken(site=[None] * 39 + ["x"]), {"block": "site"}, "'site' is missing in 39 of 40"),
        (broken().iloc[:0], {}, "no rows"),
        ("trial.csv", {}, "read_table"),
        (broken(), {"outcome": None}, "outcome must be the name of a column, got NoneType"),
        (broken(age=np.linspace(1, 2, 40) * 1e200), {}, r"'age' \(holds 40 values beyond 1e.100"),
    ],
)
def test_unusable_input_gets_one_clear_error(
    df: pd.DataFrame, arguments: dict[str, object], words: str
) -> None:
    roles = {"id": "patient", **arguments} if "covariates" not in arguments else arguments
    with pytest.raises(TrialError, match=words):
        plain(df, **roles)


def test_too_many_covariates_are_refused_before_they_are_encoded() -> None:
    wide = pd.DataFrame(np.zeros((4, 20_001), dtype=np.int8)).add_prefix("c")
    with pytest.raises(TrialError, match="20,001 covariates are more than 20,000"):
        plain(wide.assign(arm=["usual", "new"] * 2, y=[1, 2, 3, 4.0]))


def test_designs_that_the_data_contradict_are_design_errors() -> None:
    df = clustered()
    mixed = df.assign(arm=df["arm"].where(df.index != 0, "new").where(df.index != 6, "usual"))
    with pytest.raises(DesignError, match=r"varies within 2 of 8 clusters \(for example 0: 4 con"):
        plain(mixed, cluster="clinic")
    with pytest.raises(DesignError, match="1 control and 1 treated clusters"):
        plain(df[df["clinic"] < 2], cluster="clinic")
    lost = df.assign(y=df["y"].where(df["clinic"].isin([0, 2, 4, 1])))
    with pytest.raises(DesignError, match="3 control and 1 treated clusters with outcomes"):
        plain(lost, cluster="clinic")
    with pytest.raises(DesignError, match="block varies within 8 of 8 clusters"):
        plain(df.assign(region=np.arange(40)), cluster="clinic", block="region")
    with pytest.raises(TrialError, match="'clinic' is missing in 1 of 40"):
        plain(df.assign(clinic=[np.nan, *df["clinic"][1:]]), cluster="clinic")
    single = individual()
    single.loc[(single["arm"] == "usual") & (single.index > 0), "y"] = np.nan
    with pytest.raises(DesignError, match="1 and the treated arm 20 persons"):
        plain(single, id="patient")


class MeanDifference(CateEstimator):
    """The same effect for everyone: enough of an estimator to be fitted."""

    def __init__(self, scale: float = 1.0, random_state: object = None, n_jobs: int = 1) -> None:
        self.scale = scale
        self.random_state = random_state
        self.n_jobs = n_jobs

    def declare_nuisances(self, data: TrialData, seed: int) -> Sequence[Nuisance]:
        return ()

    def fit_effect(self, data: TrialData, nuisances: Mapping[str, NuisanceFit], seed: int) -> None:
        means = [data.y[data.treatment == a].mean() for a in (0, 1)]
        self.effect_ = self.scale * (means[1] - means[0])

    def predict_effect(self, X: FloatArray) -> FloatArray:
        return np.full(len(X), self.effect_)


def test_fit_sets_parameters_and_fits_to_the_analysed_rows() -> None:
    df = individual()
    df.loc[3, "y"] = np.nan
    trial = plain(df, id="patient")
    fitted = trial.fit(MeanDifference(), scale=2.0, random_state=5)
    means = df.groupby("arm")["y"].mean()
    assert fitted.effect(trial.X) == pytest.approx(np.full(39, 2 * (means["new"] - means["usual"])))
    assert fitted.random_state == 5
    assert fitted.feature_names_in_.tolist() == trial.X.columns.tolist()


def test_fit_looks_names_up() -> None:
    from tauhat.registry import estimator

    trial = plain(clustered(20, 10), cluster="clinic", covariates=["age"])
    fitted = trial.fit("T-Linear", random_state=1)
    again = estimator("T-Linear", random_state=1).fit(*trial)
    np.testing.assert_array_equal(fitted.effect(trial.X), again.effect(trial.X))
    with pytest.raises(TrialError, match="T-Linaer"):
        trial.fit("T-Linaer")


def test_star_is_the_trial_of_its_description() -> None:
    path = DATA / "star_kindergarten.csv"
    if not path.exists():
        pytest.skip("star_kindergarten.csv is not on this machine")
    star = read_table(path)
    trial = Trial(
        star[star["class_n"] >= 5],
        outcome="math",
        treatment="cltype",
        arms=("reg", "small"),
        cluster="class_id",
        block="school_id",
        id="id",
        covariates=["female", "eth", "ses", "age_1985_09", "schtype", "hdeg", "clad", "exp"],
    )
    assert (trial.n, trial.n_clusters) == (3785, 225)
    assert trial.blocks is not None
    assert len(np.unique(trial.blocks)) == 79
    assert trial.cluster_level_names == ("schtype", "hdeg", "clad", "exp")


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_files_are_read_by_their_extension(tmp_path: Path) -> None:
    df = individual()
    df.to_csv(tmp_path / "t.csv", index=False)
    df.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    df.to_csv(tmp_path / "semicolon.csv", index=False, sep=";", decimal=",")
    df.to_parquet(tmp_path / "t.parquet")
    write(tmp_path / "bom.csv", b"\xef\xbb\xbf" + (tmp_path / "t.csv").read_bytes())
    df.to_csv(tmp_path / "row_names.csv")
    for name in ("t.csv", "t.tsv", "t.parquet", "bom.csv", "semicolon.csv", "row_names.csv"):
        pd.testing.assert_frame_equal(read_table(tmp_path / name), df, check_dtype=False)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.docx", "x", r"unknown extension '.docx'; known: .csv, .dta"),
        ("t.csv", "", "is empty"),
        ("t.csv", "\n\n", "is empty"),
        ("t.csv", "a,b\n", "no rows"),
        ("t.csv", "a,a\n1,2\n", r"repeated: \['a'\]"),
        ("t.csv", "a,,b\n1,2,3\n", "empty name"),
        ("t.csv", "a,b\n1,2\n1,2,3\n", "not a table.*line 3"),
        ("t.csv", "a,b\n1,2,3\n4,5,6\n", "not a table"),
        ("t.csv", b"a,b\n1,\xff\n", "UTF-8"),
        ("t.csv", b"PK\x00\x01", "binary"),
        ("t.parquet", "not parquet", "not a Parquet table"),
        ("t.csv", ",".join(f"c{k}" for k in range(20_001)) + "\n1\n", "20,001 columns"),
        ("t.csv", b"c," * 3_000_000, "first line .* longer than 4 MiB"),
    ],
)
def test_files_that_are_no_table_are_refused(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    with pytest.raises(TrialError, match=words):
        read_table(write(tmp_path / name, content))


def test_absent_and_large_files_are_refused_before_reading(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match="there is no file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(TrialError, match="is a folder"):
        read_table(tmp_path)
    sparse = write(tmp_path / "huge.csv", "a,b\n1,2\n")
    with sparse.open("r+b") as file:
        file.truncate(3 * 1024**3)
    with pytest.raises(TrialError, match=r"3.00 GiB, more than 2.00 GiB"):
        read_table(sparse)
    small = tmp_path / "zeros.parquet"
    pd.DataFrame({"a": np.zeros(400_000)}).to_parquet(small)
    assert small.stat().st_size < 100_000
    with pytest.raises(TrialError, match="raise max_bytes"):
        read_table(small, max_bytes=1_000_000)
