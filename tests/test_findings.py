"""Every finding of the design check with its table, code and grade."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finding_cases import CASES, clinics, noise, persons, some
from tauhat.cli import main
from tauhat.errors import TrialError, UnsafeCovariatesError
from tauhat.trial.checks.design_check import DesignCheck
from tauhat.trial.checks.finding_codes import CODES, codes_table
from tauhat.trial.trial import Trial

ROOT = Path(__file__).resolve().parent.parent
TRUE_OF_SMALL = {"few-persons", "few-clusters", "too-few-clusters"}


def roles_of(df: pd.DataFrame, **roles: Any) -> dict[str, Any]:
    known = {"outcome": "y", "treatment": "arm", "covariates": ["age", "sex"]}
    return known | ({"cluster": "clinic"} if "clinic" in df else {}) | roles


def check(df: pd.DataFrame, **roles: Any) -> DesignCheck:
    return Trial(df, **roles_of(df, **roles)).check()


@pytest.mark.parametrize(
    ("code", "grade", "make", "roles"),
    CASES,
    ids=[f"{c[0]}-{c[1]}-{k}" for k, c in enumerate(CASES)],
)
def test_a_finding_has_its_code_and_its_grade(
    code: str, grade: str, make: Callable[[], pd.DataFrame], roles: dict[str, Any]
) -> None:
    result = check(make(), **roles)
    found = [(f.code, f.status) for f in result.findings if f.code == code]
    assert (code, grade) in found, result.table.to_string()
    assert result.passed == (not result.open_codes)
    assert (code in result.open_codes) == (grade != "note")
    # Nothing else is questioned but what the same fault shows in another way, or small numbers.
    others = set(result.open_codes) - TRUE_OF_SMALL - {code}
    assert others <= ALONG.get(code, set())
    if grade == "warning":
        answered = check(make(), **roles, accept=[code])
        assert code not in answered.open_codes
        assert any(f.accepted for f in answered.findings)
        assert answered.accepted


ALONG = {
    "persons-on-several-rows": {"repeated-rows"},
    "one-arm-blocks": {"missing-outcome"},
    "far-value": {"impossible-value"},
    "cluster-size-jump": {"repeated-rows"},
    "missing-by-block": {"missing-outcome"},
    "missing-by-covariate": {"missing-outcome"},
    "rarely-observed": {"missing-outcome"},
    "time-before-randomization": {"far-value"},
}


def test_every_code_has_a_case_and_every_finding_a_code() -> None:
    # What reading tells needs a file, an imbalance chance: they have tests of their own.
    elsewhere = {"words-as-missing", "imbalance"}
    elsewhere |= {"missing-by-rule", "left-as-numbers", "rows-dropped", "short-rows", "reading"}
    # tests/test_follow_up_check.py
    elsewhere |= {"few-events", "censoring", "follow-up", "censoring-by-covariates"}
    elsewhere |= {"times-of-zero", "tied-times", "event-codes"}
    # tests/test_events_of_trials.py, tests/test_counts.py
    elsewhere |= {"rows-of-events", "many-zeros"}
    # tests/test_periods.py, tests/test_baseline_period.py
    elsewhere |= {"design-over-periods", "baseline-period", "baseline-cohort"}
    # tests/test_one_arm.py
    elsewhere |= {"clusters-in-one-arm"}
    assert {case[0] for case in CASES} | elsewhere == set(CODES)
    for make, roles in [(c[2], c[3]) for c in CASES[::6]]:
        for found in check(make(), **roles).findings:
            assert (found.status == "ok") == (found.code == "")
            assert not found.code or found.status in CODES[found.code].grades


def test_the_page_lists_the_codes() -> None:
    page = (ROOT / "docs" / "design-check.md").read_text(encoding="utf-8")
    assert codes_table() in page
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in CODES)


def test_a_table_with_columns_from_later_is_refused_unless_they_are_named() -> None:
    df = persons().assign(
        sbp_week12=noise, pills=lambda d: some(d, 0.05 + 0.6 * d["arm"]) * 1,
        good=lambda d: (d["y"] > 118) * 1,
    )  # fmt: skip
    with pytest.raises(TrialError) as refused:
        Trial(df, outcome="y", treatment="arm")
    for reason in (
        "'sbp_week12' (by its name)",
        "'pills' (differs between the arms beyond chance)",
        "'good' (nearly tells the outcome)",
        "covariates=['age', 'sex'] (--covariates age,sex)",
    ):
        assert reason in str(refused.value)
    named = check(df, covariates=["age", "sex", "sbp_week12", "pills", "good"])
    assert not named.failures
    assert set(named.open_codes) == {"follow-up-name", "differs-by-arm", "outcome-determined"}
    with pytest.raises(
        TrialError, match=r"identifiers \('nr'\), it is covariates=\['age', 'sex'\]"
    ):
        Trial(df.assign(nr=range(len(df))), outcome="y", treatment="arm")
    # Alone it is a warning, as where covariates are named.
    alone = check(persons().assign(nr=range(300)), covariates=None)
    assert alone.open_codes == ("identifier",)


def test_columns_that_cannot_be_covariates_are_told_together_with_those_from_later() -> None:
    df = persons().assign(
        seen="2024-01-31", note=lambda d: [f"n{k}" for k in range(len(d))], sbp_week12=noise
    )
    df["bmi"] = [f"{value:.1f}".replace(".", ",") for value in df["age"]]
    df.loc[::30, "bmi"] = "k.A."
    with pytest.raises(UnsafeCovariatesError) as refused:
        Trial(df, outcome="y", treatment="arm")
    for part in (
        "3 cannot be covariates as they are: 'seen' (holds dates), 'note' (looks like an "
        "identifier: 300 different values in 300 rows), 'bmi' (is numeric except for 10 of 300 "
        "values, such as 'k.A.'); 1 may not have been known at randomization: 'sbp_week12'",
        "--covariates age,sex)",
    ):
        assert part in str(refused.value)
    assert refused.value.usable == ("age", "sex", "sbp_week12")
    with pytest.raises(TrialError, match=r"'bmi' is numeric except for 10 of 300.*--na"):
        check(df, covariates=["age", "bmi"])


def test_what_the_event_was_in_words_is_no_covariate() -> None:
    rng = np.random.default_rng(4)
    died = rng.random(300) < 0.4
    df = persons().assign(
        days=rng.exponential(200, 300).round() + 1,
        died=died * 1,
        reason=np.where(died, "heart", np.where(rng.random(300) < 0.5, "alive", "moved")),
    )
    roles = {"outcome": "days", "event": "died", "horizon": 200}
    found = check(df, covariates=["age", "reason"], **roles)
    assert [f.value for f in found.findings if f.code == "outcome-determined"] == ["reason"]
    with pytest.raises(UnsafeCovariatesError, match=r"'reason' \(nearly tells the outcome\)"):
        Trial(df, treatment="arm", **roles)
    clean = check(df, covariates=["age", "sex"], **roles)
    assert "outcome-determined" not in clean.open_codes


def test_a_time_at_risk_is_called_so() -> None:
    df = persons().assign(falls=lambda d: np.arange(len(d)) % 3, years=lambda d: d["age"] / 60)
    roles = {"outcome": "falls", "treatment": "arm", "endpoint": "count", "exposure": "years"}
    with pytest.raises(TrialError, match="'years' cannot be both exposure and a covariate"):
        Trial(df, **roles, covariates=["age", "years"])
    trial = Trial(df, **roles, covariates=["sex"])
    assert trial.roles["weight"] == "years"
    assert "Persons count by their time at risk (years)" in trial.check().text


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("few_clusters", "did you mean 'few-clusters'"),
        ("outcome-copy", "'outcome-copy' is never a warning but an error"),
        ("encoding", "notes need no answer"),
        ("heap", "nothing here is warned of as 'heap'; the warnings are 'few-clusters'"),
    ],
)
def test_a_code_that_answers_nothing_is_said_in_one_line(
    code: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clinics(12).to_csv(tmp_path / "t.csv", index=False)
    words = ["check", str(tmp_path / "t.csv"), "--outcome", "y", "--treatment", "arm"]
    words += ["--cluster", "clinic", "--covariates", "age,sex"]
    assert main([*words, "--accept", code]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.startswith("tauhat: error: --accept: ")
    assert err.count("\n") == 1
    assert main([*words, "--accept", "few-clusters"]) == 0
    assert "Design check: passed; 1 warning accepted" in capsys.readouterr().out


def test_an_error_is_not_accepted() -> None:
    df = persons().assign(x=lambda d: d["arm"] + 5)
    with pytest.raises(TrialError, match="is an error here, which cannot be accepted"):
        check(df, covariates=["age", "x"], accept=["treatment-copy"])


def test_notes_that_say_the_same_are_said_once() -> None:
    df = persons().assign(**{f"c{k}": "x" for k in range(6)})
    names = ["age", *(f"c{k}" for k in range(6))]
    notes = [note for note in check(df, covariates=names).notes if "one value" in note]
    assert notes == [
        "Column 'c0' has one value only and was left out. The same holds of 'c1', 'c2', 'c3', "
        "'c4' and 'c5'."
    ]


def test_normalised_labels_give_the_clean_trial_back() -> None:
    clean = clinics()
    dirty = clean.assign(
        clinic=np.where(clean.index % 3 == 0, clean["clinic"].str.upper(), clean["clinic"]),
        sex=np.where(clean.index % 5 == 0, clean["sex"].str.title(), clean["sex"]),
        arm=np.where(clean["arm"] == 1, np.where(clean.index % 4 == 0, "drug", "Drug"), "none"),
    )
    named = clean.assign(arm=np.where(clean["arm"] == 1, "Drug", "none"))
    assert Trial(named, **roles_of(named, control="none")).n_clusters == 40
    trial = Trial(dirty, **roles_of(dirty, control="none", normalise_labels=True))
    same = Trial(named, **roles_of(named, control="none"))
    np.testing.assert_array_equal(trial.X, same.X)
    assert trial.clusters is not None
    np.testing.assert_array_equal(trial.clusters, same.clusters)
    np.testing.assert_array_equal(trial.treatment, same.treatment)
    np.testing.assert_array_equal(trial.encode(dirty), same.X)
    assert {f.item for f in trial.check().findings if f.status == "note"} == {"merged labels"}
