"""How often a value of a clean heavy-tailed covariate is taken for far outside, and what it costs.

    python benchmarks/far_values.py --draws 2000 --fits 10

Of each distribution, the share of columns of 200 persons without any code in which a value lies
outside its limits; then, in the first few of these, the error of the effects with the limits and
without, where the effect follows the covariate in a straight line or its logarithm. In all other
columns nothing changes.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace

import numpy as np

import tauhat as th
from tauhat.data import TrialData, validate_trial
from tauhat.numerics.far_values import ColumnLimits

N = 200
COLUMNS = {
    "normal": lambda rng: rng.normal(size=N),
    "exponential": lambda rng: rng.exponential(size=N),
    "lognormal 1": lambda rng: rng.lognormal(0, 1, N),
    "lognormal 1.5": lambda rng: rng.lognormal(0, 1.5, N),
    "t, 3 degrees": lambda rng: rng.standard_t(3, N),
    "Pareto 2": lambda rng: rng.pareto(2, N),
    "Cauchy": lambda rng: rng.standard_cauchy(N),
    "counts, many 0": lambda rng: rng.negative_binomial(0.4, 0.1, N) * (rng.random(N) < 0.4),
    "rare 0/1": lambda rng: 1.0 * (rng.random(N) < 0.02),
    "answers 1 to 9": lambda rng: rng.integers(1, 10, N),
}
EFFECTS = {"line": lambda z: 0.5 * z, "log": lambda z: np.sign(z) * np.log1p(np.abs(z))}


def trials(x: np.ndarray, effect: str, seed: int) -> tuple[TrialData, TrialData, np.ndarray]:
    """A trial with and without limits, and the true effects in its order."""
    rng = np.random.default_rng(seed)
    centred = x - np.median(x)
    tau = EFFECTS[effect](centred / (1.4826 * np.median(np.abs(centred))))
    X, arm = np.column_stack([x, rng.normal(size=(N, 2))]), rng.permutation(N) % 2
    y = 0.3 * X[:, 1] + arm * tau + rng.normal(size=N)
    data = validate_trial(X, y, arm)
    place = np.argsort(y)[np.argsort(np.argsort(data.y))]
    return replace(data, X=X[place], limits=None), data, tau[place]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--fits", type=int, default=10)
    parser.add_argument("--estimators", nargs="+", default=["LMM", "GAMM", "T-Linear"])
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", th.TauhatWarning)
    for name, draw in COLUMNS.items():
        rng = np.random.default_rng(5)
        cut = []
        for _ in range(arguments.draws):
            x = np.asarray(draw(rng), dtype=np.float64)
            if ColumnLimits.of(x[:, None]).outside(x[:, None]).any():
                cut.append(x)
        print(f"{name:16s} {len(cut) / arguments.draws:8.3%} of columns", flush=True)
        for effect in EFFECTS:
            for estimator in arguments.estimators if cut else ():
                errors = []
                for seed, x in enumerate(cut[: arguments.fits]):
                    *both, tau = trials(x, effect, seed)
                    fits = [th.estimator(estimator, random_state=1).fit_data(one) for one in both]
                    errors.append(
                        [
                            np.sqrt(np.mean((fit.predict_effect(one.X) - tau) ** 2))
                            for fit, one in zip(fits, both, strict=True)
                        ]
                    )
                without, limited = np.median(errors, axis=0)
                print(
                    f"    {effect:5s} {estimator:10s} median RMSE {without:.3f} without limits, "
                    f"{limited:.3f} with ({len(errors)} columns)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
