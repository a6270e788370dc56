"""The same rules in tauhat and in metacausal: equal weights, accuracy and time.

Usage: python benchmarks/ensembles_vs_metacausal.py --draws 3

The first table gives both the same out-of-fold effects and outcome regressions:
differences are those of the rules. The second lets each do all of its work with
the same members (metacausal estimates the propensity and its outcome
regressions are boosted trees). metacausal is no dependency: without it the
script says so and stops.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import pandas as pd

import tauhat as th
from tauhat.ensembles import CausalStacking, TrimmedMeanEffect
from tauhat.numerics.seeds import derive_seed
from tauhat.outcome import LinearMixedModel
from tauhat.simulate import scenario

SCENARIOS = ["linear", "slightly-nonlinear", "highly-nonlinear", "pd-l1"]
MEMBERS = ["LMM", "GAMM", "X-RF", "X-Boosting"]


def theirs() -> dict:
    """Rules of metacausal under our names."""
    from metacausal import aggregation

    return {
        "Causal-Stacking": aggregation.CausalStacking,
        "Q-Aggregation": aggregation.QAggregation,
        "R-Stacking": aggregation.RStacking,
        "CBA": aggregation.CBA,
        "Median": aggregation.Median,
        "Trimmed-Mean": aggregation.TrimmedMean,
    }


def same_input(rules: dict, seed: int) -> pd.DataFrame:
    """Largest difference in weights and effects when both get the same numbers."""
    from metacausal.aggregation import NuisanceEstimates

    trial = scenario("highly-nonlinear").draw(300, seed)
    members = [(name, th.estimator(name)) for name in ("LMM", "GAMM", "T-LMM", "X-LMM")]
    source = CausalStacking(members, outcome_model=LinearMixedModel(), random_state=1)
    source.fit(*trial)
    data, found = source.trial_data_, source.out_of_fold_
    all_rows = np.column_stack(list(source.member_effects(data.X).values()))
    rows = []
    for name, make in rules.items():
        ours = source.reaggregate(name)
        their = make()
        if name in ("Median", "Trimmed-Mean"):
            effect = their.aggregate(all_rows.T)
            weights = np.full(len(members), np.nan)
        elif name == "CBA":
            weights = their.compute_weights(all_rows.T, list(ours.weights_)).weights
            effect = all_rows @ weights
        else:
            # Their R-loss takes its mean outcome from the arms, ours from a regression on both.
            arms = (found.treated, found.control)
            if name == "R-Stacking":
                arms = (found.mean, found.mean)
            nuisance = NuisanceEstimates(data.propensity, *arms)
            arguments = (found.effects.T, data.working, data.treatment, data.X, nuisance)
            learned = their.fit_weights(*arguments)
            weights = learned.weights
            effect = learned.intercept + all_rows @ weights
        difference = np.abs(np.array(list(ours.weights_.values())) - weights).max()
        spread = np.abs(ours.predict_effect(data.X) - effect).max() / np.std(effect)
        rows.append({"rule": name, "weights": difference, "effects / sd": spread})
    return pd.DataFrame(rows).set_index("rule")


def adapter(name: str):
    """One of our estimators as a member of metacausal's ensemble."""
    from metacausal import GenericCATEAdapter

    def fit(X, T, Y, random_state=None, **others):
        return th.estimator(name, random_state=random_state).fit(X, Y, treatment=T)

    return GenericCATEAdapter(fit, lambda fitted, X: fitted.effect(X), name=name)


def one_trial(name: str, replicate: int, n: int, rules: dict) -> list[dict]:
    """Error and time of every rule in both packages on one simulated trial."""
    from metacausal import CausalEnsemble

    seed = derive_seed(20261124, name, replicate)
    trial = scenario(name).draw(n, seed)
    test = scenario(name).population(2000, derive_seed(seed, "test"))
    spread = np.std(test.tau)
    rows: list[dict] = []

    def note(package: str, label: str, effect: np.ndarray, seconds: float) -> None:
        error = np.sqrt(np.mean((effect - test.tau) ** 2)) / spread
        rows.append({"package": package, "rule": label, "srmse": error, "seconds": seconds})

    start = time.process_time()
    ours = CausalStacking([(m, th.estimator(m)) for m in MEMBERS], random_state=1).fit(*trial)
    seconds = time.process_time() - start
    for label in [*rules, "T-Stacking", "Exponential"]:
        start = time.process_time()
        again = ours.reaggregate(label)
        extra = time.process_time() - start
        note("tauhat", label, again.effect(test.X), seconds + extra)
    mean = ours.reaggregate(TrimmedMeanEffect(trim=0))
    note("tauhat", "mean of members", mean.effect(test.X), seconds)
    start = time.process_time()
    their = CausalEnsemble([adapter(m) for m in MEMBERS], aggregation=rules["Causal-Stacking"]())
    their.fit(trial.X, trial.treatment, trial.y, random_state=1)
    seconds = time.process_time() - start
    for label, make in rules.items():
        start = time.process_time()
        effect = their.cate(test.X, aggregation=make()).cate
        note("metacausal", label, effect, seconds + time.process_time() - start)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--n", type=int, default=250)
    parser.add_argument("--scenarios", nargs="+", default=SCENARIOS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    try:
        rules = theirs()
    except ImportError:
        print("metacausal is not installed (pip install metacausal==0.7.5): nothing compared")
        return
    print("Largest difference, same out-of-fold effects and outcome regressions in:")
    print(same_input(rules, 1).to_string(float_format=lambda value: f"{value:.1e}"))
    rows = []
    for name in options.scenarios:
        for replicate in range(options.draws):
            rows += one_trial(name, replicate, options.n, rules)
    table = pd.DataFrame(rows).groupby(["rule", "package"], sort=False)
    summary = table.agg(
        srmse=("srmse", "mean"), worst=("srmse", "max"), cpu_seconds=("seconds", "mean")
    )
    count = options.draws * len(options.scenarios)
    print(f"\nWhole pipelines, members {', '.join(MEMBERS)}, n = {options.n}, {count} trials")
    print(summary.unstack().round(3).to_string())
    paired = pd.DataFrame(rows)
    paired["trial"] = paired.groupby(["rule", "package"]).cumcount()
    wide = paired.pivot(index=["rule", "trial"], columns="package", values="srmse").dropna()
    difference = (wide.tauhat - wide.metacausal).groupby("rule", sort=False)
    print("\nsRMSE of tauhat minus metacausal, with its standard error over trials")
    print(pd.DataFrame({"mean": difference.mean(), "se": difference.sem()}).round(3).to_string())


if __name__ == "__main__":
    main()
