"""Three arms: size and power of the one test over all contrasts, and what three arms cost.

p-values under constant effects (`python benchmarks/several_arms.py size`), where one arm of
two has an effect that differs (`power`), and time over that of the two-arm analyses (`cost`, of
four arms by the model named: `cost LMM 4`).
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd

import tauhat as th

WITHOUT_EFFECT = {"a": 0.0, "b": 1.0, "c": 2.0, "d": 1.0}
DESIGNS = {"12 clusters": 12, "21 clusters": 21, "39 clusters": 39, "150 persons": 0}


def made(m: int, seed: int, slope: float = 0.0, arms: int = 3) -> th.Trial:
    """A trial of several arms: clusters of 4 to 24 persons, or persons; arm c has the slope."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 25, m) if m else np.ones(150, dtype=int)
    unit = np.repeat(np.arange(len(sizes)), sizes)
    arm = rng.permutation(np.arange(len(sizes)) % arms)[unit]
    df = pd.DataFrame({"unit": unit, "arm": np.array(list("abcd"))[arm]})
    df["x1"], df["x2"], df["x3"] = rng.normal(size=(3, len(df)))
    df["v"] = rng.normal(size=len(sizes))[unit]
    level = 0.4 * rng.normal(size=len(sizes))[unit] if m else 0.0
    noise = rng.standard_exponential(len(df)) - 1
    df["y"] = df.arm.map(WITHOUT_EFFECT) + df.x1 + 0.5 * df.v + level + noise
    df["y"] += slope * df.x1 * (df.arm == "c")
    roles = {"cluster": "unit"} if m else {}
    covariates = ["x1", "x2", "x3", "v"]
    return th.Trial(df, outcome="y", treatment="arm", control="a", covariates=covariates, **roles)


def rejections(draws: int, slope: float) -> None:
    """Share of trials with p at most .05: all contrasts, each alone adjusted, either unadjusted."""
    print("design           all  b adj  c adj  either, unadjusted")
    for name, m in DESIGNS.items():
        found = []
        for seed in range(draws):
            test = th.test_contrasts(made(m, seed, slope), random_state=seed, n_permutations=199)
            own, adjusted = test.table.p_value, test.table.p_adjusted
            found.append([test.p_value, *adjusted, own.min()])
        shares = (np.array(found) <= 0.05).mean(axis=0)
        print(f"{name:<13}" + "".join(f"{share:7.3f}" for share in shares), flush=True)


def cost(model: str, arms: int) -> None:
    """CPU seconds of an analysis of several arms, and of each of its contrasts alone."""
    trial = made(13 * arms, 1, 0.5, arms)
    th.analyze(trial.contrast("b"), models=["LMM"], random_state=1)

    def seconds(one: th.Trial) -> float:
        start = time.process_time()
        th.analyze(one, models=model, random_state=1)
        return time.process_time() - start

    whole = seconds(trial)
    alone = sum(map(seconds, trial.contrasts.values()))
    print(f"{arms} arms {whole:.1f} s, {arms - 1} pairs {alone:.1f} s, ratio {whole / alone:.2f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    what, *count = sys.argv[1:]
    if what == "cost":
        cost(count[0] if count else "default", int(count[1]) if len(count) > 1 else 3)
    else:
        rejections(int(count[0]) if count else 400, 0.5 if what == "power" else 0.0)
