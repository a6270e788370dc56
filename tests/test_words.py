"""What messages say: counts with their nouns, plain values, what to do, and in our own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import tauhat as th
from tauhat.ensembles.aggregations import AGGREGATIONS
from tauhat.learners import TLearner, XLearner
from tauhat.tables.dates import kind_of_time
from tauhat.tables.labels import near_pairs

ROLES: dict[str, Any] = {"outcome": "y", "treatment": "arm"}


def villages() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    village = np.repeat(np.arange(16), 15)
    return pd.DataFrame(
        {
            "village": village,
            "pid": np.arange(240) + 1000,
            "block": village // 4,
            "arm": village % 2,
            "x": rng.normal(size=240),
            "y": rng.normal(size=240),
        }
    )


def trial_of(df: pd.DataFrame, **roles: Any) -> th.Trial:
    return th.Trial(df, **(ROLES | {"covariates": ["x"]} | roles))


def refusal(df: pd.DataFrame, **roles: Any) -> str:
    with pytest.raises(th.TrialError) as caught:
        trial_of(df, **roles)
    return str(caught.value)


def sentences(df: pd.DataFrame, item: str, **roles: Any) -> list[str]:
    return [f.sentence for f in trial_of(df, **roles).check().findings if f.item == item]


def test_persons_given_as_clusters_are_identifiers() -> None:
    said = refusal(villages(), cluster="pid", block="village")
    assert "use cluster='village' (--cluster) instead, and id='pid' (--id)" in said


def test_a_propensity_at_fault_names_its_block_plainly() -> None:
    roles = {"cluster": "village", "block": "block"}
    half = dict.fromkeys(range(4), 0.5)
    without = {key: value for key, value in half.items() if key != 2}
    assert refusal(villages(), **roles, propensity=without) == (
        "propensity has no number for block 2"
    )
    assert "of block 2 must lie strictly between 0 and 1, got 1" in refusal(
        villages(), **roles, propensity=half | {2: 1}
    )


def test_a_classifier_is_refused_for_what_it_is_used_for() -> None:
    df = villages()
    X, arm = df[["x"]].to_numpy(), df["arm"]
    with pytest.raises(th.TrialError, match="needs an outcome of two values") as caught:
        TLearner(LogisticRegression()).fit(X, df["y"], arm)
    assert "effect_model" not in str(caught.value)
    with pytest.raises(th.TrialError, match="of the XLearner is of effects: give a regressor"):
        XLearner(LogisticRegression()).fit(X, (df["y"] > 0).astype(float), arm)


def test_ensembles_are_called_by_their_names() -> None:
    for name in ("Robust", "Stacked-X", *AGGREGATIONS):
        assert th.estimator(name).text == f"{name}, not fitted."
    few = villages().query("village < 4")
    with pytest.raises(th.TrialError, match=r"^Robust weighs its members"):
        trial_of(few, cluster="village").fit("Robust")


def test_what_is_missing_everywhere_is_not_filled_in() -> None:
    df = villages().assign(gone=np.nan)
    check = trial_of(df, covariates=["x", "gone"]).check()
    assert "is missing in every row and was left out" in check.text
    assert "imputed" not in check.text
    df.loc[::3, "x"] = np.nan
    said = trial_of(df, covariates=["x", "gone"]).check().text
    assert (
        "1 of 1 covariates has missing values, up to 33.3%; 33.3% of rows have at least one" in said
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b,c\n1,2,3\n1,2,3,4\n", "line 3 has 4 cells, and the first line 3 names"),
        (b"a,b,c\n1,2,3,9\n1,2,3,4\n", "line 2 has 4 cells, and the first line 3 names"),
        (b'a,b,c\n1,2,3\n1,"2,3\n4,5,6\n', "a quotation mark that opens in line 3 does not close"),
        ("a,b\n1,x\n2,Genève\n".encode("latin-1"), "line 3 holds the byte 0xe8"),
        (b"\xef\xbb\xbfa,b\n1,\xff\n", "line 2 holds the byte 0xff"),
    ],
)
def test_files_that_are_no_tables_are_told_by_line(
    content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "trial.csv"
    path.write_bytes(content)
    with pytest.raises(th.TrialError, match="is not a table") as caught:
        th.read_table(path)
    assert said in str(caught.value)
    assert not any(word in str(caught.value) for word in ("tokenizing", "codec", "index_col"))


@pytest.mark.parametrize("given", ["usual care", "Usual_care", "placebo"])
def test_a_control_that_is_not_there_gets_a_proposal(given: str) -> None:
    df = villages().assign(arm=lambda d: np.where(d["arm"] == 1, "New", "Usual care (GP)"))
    assert refusal(df, control=given).endswith("; did you mean 'Usual care (GP)'?")


def test_versions_are_no_dates() -> None:
    assert kind_of_time(pd.Series(["1.2.1", "2.0.3", "10.2.1"])) is None
    for date in ("1.2.2023", "22.3.23", "2023-3-1", "23-03-22", "3/22/2023"):
        assert kind_of_time(pd.Series([date])) == "dates", date


def test_padded_numbers_in_labels_are_nearly_alike() -> None:
    labels = ["Site 01", "Site 1", "Site 10", "v1.05", "v1.5", "c007", "c7"]
    assert near_pairs(labels) == [("Site 01", "Site 1"), ("c007", "c7")]


def test_one_of_a_kind_is_singular() -> None:
    df = villages()
    df.loc[df["village"] == 3, "y"] = np.nan
    trial = trial_of(df, cluster="village")
    said = trial.check().text
    assert (
        "1 cluster has no outcome at all (0 control, 1 treated) and was left out. Nobody in it"
        in said
    )
    one = villages().assign(y=lambda d: d["y"].where(d.index > 0))
    assert (
        "1 person without an outcome is left out of models only (missing=)." in trial_of(one).notes
    )
    label = villages().assign(site=np.resize(["a", "b"], 240))
    label.loc[5, "site"] = "b "
    assert sentences(label, "labels", covariates=["x", "site"]) == [
        "In 'site', needless blanks were left out in 1 row and 1 label is written in several ways "
        "and read as one."
    ]
    pairs = villages().query("village < 4").assign(block=lambda d: d["village"] // 2)
    paired = {"cluster": "village", "block": "block"}
    assert "tests use t with 1 degree of freedom, " in trial_of(pairs, **paired).check().text


def test_clusters_are_counted_as_they_are_analysed() -> None:
    df = villages()
    df.loc[df["village"].isin([3, 8]), "y"] = np.nan
    check = trial_of(df, cluster="village").check()
    (value,) = [f.value for f in check.findings if f.item == "clusters"]
    assert value == "14 (7 control, 7 treated; 16 enrolled)"
    assert "With 14 clusters (7 control, 7 treated; 16 enrolled) the average effect" in check.text
    assert check.cluster_sizes is not None
    assert check.cluster_sizes.set_index("arm").loc["all", "clusters"] == 16


def test_an_imbalance_is_said_once() -> None:
    df = villages().assign(x=lambda d: d["x"] + 0.5 * (d["arm"] == 1))
    said = trial_of(df).check().text
    assert said.count("'x'") == 1
    assert "'x' differs between the arms more than usual" in said


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["21,5", "23,4", "30"], "with decimal commas, such as '21,5'; write them with decimal"),
        ([f"{kg}.5 kg" for kg in range(50, 62)], "with the unit 'kg', such as '50.5 kg'; write"),
        (
            [*(f"{k} cm" for k in range(150, 170)), "1.7 m"],
            "with several units, 'cm' and 'm', such as '1.7 m'; write them in one unit",
        ),
        (["45%", "50 %", "7.5%"], "with percent signs, such as '45%'; write them without the sign"),
        (["1,200", "12,000"], "with commas that may be decimal or part thousands"),
        (["1.200,50", "12.000,75"], "with thousands separators, such as '1.200,50'"),
        (["1 200", "12 000"], "with thousands separators, such as '1 200'"),
        (["€ 5", "€ 7.50"], "with currency signs"),
    ],
)
def test_numbers_written_as_text_are_named(cells: list[str], said: str) -> None:
    df = villages().assign(cost=np.resize(cells, 240))
    (found,) = sentences(df, "numbers written as text", covariates=["x", "cost"])
    assert found.startswith(f"'cost' holds numbers {said}")
    assert found.endswith("categories.")


def test_numbers_written_as_text_are_no_identifiers() -> None:
    text = [f"{value:.4f}".replace(".", ",") for value in villages()["y"]]
    for roles in ({"covariates": ["cost"]}, {"outcome": "cost"}):
        said = refusal(villages().assign(cost=text), **roles)
        assert "column 'cost' holds numbers with decimal commas, such as '-0,0" in said


def test_categories_are_no_numbers() -> None:
    sides = [f"{k} {'left' if k % 2 else 'right'}" for k in range(20)]
    doses = ["5 mg", "10 mg", "20 mg"]
    for cells in (["1-2", "3-4"], ["low", "1,5"], ["I,II", "III"], sides, doses):
        df = villages().assign(stage=np.resize(cells, 240))
        assert sentences(df, "numbers written as text", covariates=["x", "stage"]) == []
