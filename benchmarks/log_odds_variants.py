"""Two changes to the models of log odds that were tried: a tighter prior, and sparse slopes.

On the cells of `binary_outcomes.py`, and in small trials of a strong effect (a log odds ratio of 2
in 20 clusters of 15 persons on average):

* the log odds ratio of treatment is N(0, 1) a priori in place of N(0, 2.5^2);
* slopes of `GAMM`, or of `GAMM` and `LMM`, averaged over which of them are there
  (`tauhat.numerics.sparse_slopes`), as `PEM` has them.

Ratio of the root mean squared error of the persons' effects to that of the same model as it is,
as geometric mean over trials (Monte Carlo error); "Robust" is the plain mean of its members but for
the forest. Then the mean of the mean effect less the true one, in percentage points.

    python benchmarks/log_odds_variants.py --draws 24 --store rows.jsonl
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from binary_outcomes import CELLS, FLAT
from kept_rows import kept_rows
from tauhat.data import TrialData, validate_trial
from tauhat.fitting.identified_intercepts import identified_intercepts
from tauhat.fitting.learning_view import learning_view
from tauhat.fitting.log_odds import AdditiveLogOdds
from tauhat.learners.catalog import ensemble_member
from tauhat.numerics import cholesky, two_arm_logit
from tauhat.numerics.risk_mixture import RiskMixture, _normal_mean
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.sparse_slopes import mean_coefficients
from tauhat.simulate import BinaryTrial

STRONG = "strong effect"
STRONG_CELL = ({"n_clusters": 20, "mean_size": 15.0, "effect_scale": 2.5}, None)
MEMBERS, NUMBERS = ("GAMM", "LMM", "Risk"), "GAMM-identity"
PRIOR, ONE_SPARSE, BOTH_SPARSE = "prior N(0, 1)", "sparse GAMM", "sparse GAMM and LMM"


class SparseLogOdds(AdditiveLogOdds):
    """`AdditiveLogOdds` with slopes averaged over which of them are there."""

    def fit_model(
        self, data: TrialData, seed: int, *, held: tuple[float, float] | None = None
    ) -> None:
        """Fit the model, and the mean of its coefficients over sets of slopes."""
        intercepts, arms = identified_intercepts(data, by_arm=self.by_arm)
        two_arms = self.two_arm_model(data, intercepts.at_most_two(), arms)
        fit = two_arms.fit()
        self.posterior_ = RiskMixture.of(two_arms, fit)
        self.mean_ = mean_coefficients(two_arms, fit)

    def risks(self, X: np.ndarray) -> np.ndarray:
        """Risks at that mean, with the variance of the mixture over standard deviations."""
        posterior, designs = self.posterior_, self.designs(X)
        risks = []
        for arm in (0, 1):
            rows = posterior._rows(*designs, arm)
            variance = np.full(len(rows), posterior.intercept_variances[arm])
            for share, root in zip(posterior.shares, posterior.covariance_roots, strict=True):
                half = cholesky.solve_transposed(root, np.asfortranarray(rows.T))
                variance += share * (half**2).sum(axis=0)
            risks.append(_normal_mean(rows @ self.mean_, variance, "logit"))
        return np.stack(risks, axis=-1)


def effect_of(name: str, data: TrialData, X: pd.DataFrame) -> np.ndarray:
    """Effects of a member of `Robust` fitted to a trial, whose order of rows is its own."""
    model = ensemble_member(name)
    model.random_state = 1
    return model.fit_data(data).effect(X)


def sparse_effect(data: TrialData, X: pd.DataFrame, n_splines: int) -> np.ndarray:
    """The same with sparse slopes; without curves it is that of `LMM`."""
    form = SparseLogOdds(n_splines=n_splines).fit(learning_view(data), 1)
    risks = form.risks(X.to_numpy(dtype=np.float64))
    return risks[:, 1] - risks[:, 0]


def one_trial(cell: str, number: int) -> dict[str, Any]:
    """Log ratios of errors in one trial, and errors of the mean effect in points."""
    settings, n = STRONG_CELL if cell == STRONG else CELLS[cell]
    seed = derive_seed(20261130, "variants", cell, number)
    trial = BinaryTrial(**settings).draw(n, seed)
    arrays = trial.X, trial.y, trial.treatment, trial.clusters
    data, tau = validate_trial(*arrays, endpoint="binary"), np.asarray(trial.tau)
    as_is = {name: effect_of(name, data, trial.X) for name in (*MEMBERS, NUMBERS)}
    with patch.object(two_arm_logit, "_TREATMENT_SD", 1.0):
        tighter = {name: effect_of(name, data, trial.X) for name in MEMBERS}
    tighter[NUMBERS] = as_is[NUMBERS]
    of_gamm, of_lmm = (sparse_effect(data, trial.X, n_splines) for n_splines in (10, 0))

    def error(effect: np.ndarray) -> float:
        return 100 * float(np.sqrt(np.mean((effect - tau) ** 2)))

    def robust(effects: dict[str, np.ndarray]) -> np.ndarray:
        return np.mean(list(effects.values()), axis=0)

    mean = robust(as_is)
    variants = {
        PRIOR: robust(tighter),
        ONE_SPARSE: robust(as_is | {"GAMM": of_gamm}),
        BOTH_SPARSE: robust(as_is | {"GAMM": of_gamm, "LMM": of_lmm}),
    }
    alone = {
        **{f"{name}, {PRIOR}": (tighter[name], as_is[name]) for name in MEMBERS},
        "GAMM, sparse": (of_gamm, as_is["GAMM"]),
        "LMM, sparse": (of_lmm, as_is["LMM"]),
    }
    ratios = {f"Robust, {name}": (effect, mean) for name, effect in variants.items()} | alone
    return {
        **{"cell": cell, "number": number, "points": error(mean)},
        **{name: float(np.log(error(a) / error(b))) for name, (a, b) in ratios.items()},
        "mean: as it is": 100 * float(mean.mean() - tau.mean()),
        f"mean: {PRIOR}": 100 * float(variants[PRIOR].mean() - tau.mean()),
    }


def report(rows: pd.DataFrame) -> None:
    """Print the ratios by kind of effect, and the mean effects' errors, as Markdown tables."""
    kinds = rows["cell"].map({name: settings["effect"] for name, (settings, _) in CELLS.items()})
    rows = rows.assign(kind=kinds.fillna(STRONG).where(~kinds.isin(FLAT), "nothing differs"))
    differs = rows[~rows["kind"].isin([STRONG, "nothing differs"])]
    groups = {"all that differ": differs, **dict(tuple(differs.groupby("kind", sort=False)))}
    groups |= {kind: rows[rows["kind"] == kind] for kind in ("nothing differs", STRONG)}
    names = [name for name in rows if ", " in name and not name.startswith("mean: ")]
    print(f"| error | {' | '.join(f'{kind} ({len(group)})' for kind, group in groups.items())} |")
    print("|---|" + "--:|" * len(groups))
    for name in names:
        told = []
        for group in groups.values():
            ratio = np.exp(group[name].mean())
            told.append(f"{ratio:.3f} ({ratio * group[name].sem():.3f})")
        print(f"| {name} | {' | '.join(told)} |")
    for name in (name for name in rows if name.startswith("mean: ")):
        told = [f"{group[name].mean():.2f} ({group[name].sem():.2f})" for group in groups.values()]
        print(f"| mean effect, points, {name[6:]} | {' | '.join(told)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--cells", nargs="+", default=[*CELLS, STRONG])
    parser.add_argument("--store", type=Path, help="file of rows that are kept for another run")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    numbers = range(given.first, given.first + given.draws)
    report(pd.DataFrame(kept_rows(one_trial, given.cells, numbers, given.store)))


if __name__ == "__main__":
    main()
