"""Words and files that several parts of the package must agree on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tauhat import Trial
from tauhat.cli.app import main


def trial_table(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "arm": np.tile(["old", "new"], n // 2),
            "age": rng.normal(60, 10, n).round(1),
            "score": rng.normal(0, 1, n).round(3),
        }
    )


def test_values_filled_in_by_the_encoding_are_no_heap() -> None:
    table = trial_table(300)
    table.loc[np.arange(300) % 6 == 0, "age"] = np.nan
    roles = {"outcome": "score", "treatment": "arm", "control": "old", "covariates": ["age"]}
    codes = Trial(table, **roles).check().table["code"].tolist()
    assert "missing-covariates" in codes
    assert "heap" not in codes
    table["age"] = table.age.fillna(table.age.median())
    assert "heap" in Trial(table, **roles).check().table["code"].tolist()


def test_a_run_takes_a_target_file_and_names_options(tmp_path: Path, capsys: object) -> None:
    table = trial_table()
    table.to_csv(tmp_path / "trial.csv", index=False)
    table[["age"]].to_csv(tmp_path / "target.csv", index=False)
    words = ["run", str(tmp_path / "trial.csv"), "--outcome", "score", "--treatment", "arm"]
    words += ["--control", "old", "--models", "LMM", "--jobs", "1", "--out", str(tmp_path / "out")]
    assert main([*words, "--target", str(tmp_path / "target.csv")]) == 0
    printed = capsys.readouterr().out  # type: ignore[attr-defined]
    assert "Name those with --covariates." in " ".join(printed.split())
    assert "covariates=" not in printed
