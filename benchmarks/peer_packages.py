"""The other packages, each as a function of a trial and a seed.

Every import of a package is inside its function, so that only the process that
needs it pays for it. Settings are those of tauhat's side, given below once.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

Array = np.ndarray
Limits = tuple[Array, Array]

_HERE = Path(__file__).resolve().parent
R_PACKAGES = ("lme4", "mgcv", "grf", "dbarts")

FOREST = {"n_estimators": 200, "min_samples_leaf": 5}
CAUSAL_FOREST = {"n_estimators": 400, "min_samples_leaf": 5, "max_samples": 0.45}
OUTCOME_TREES, EFFECT_TREES = 100, 50
CHAINS, GROW, BURN_IN, DRAWS = 4, 10, 100, 100
MERF_TREES = 100
MOST_ROUNDS = 300


@dataclass
class Trial:
    """What a contender may see."""

    X: Array
    y: Array
    arm: Array
    clusters: Array | None


@dataclass
class Fit:
    """Effect at new covariates, limits if the contender has them, cost if it measures its own."""

    effect: Callable[[Array], Array]
    limits: Callable[[Array], Limits] | None = None
    own_cost: Callable[[], dict[str, float]] | None = None


def forest(p: int, seed: int) -> Any:
    """Scikit-learn's forest with the settings of `tauhat.outcome.RandomForest`."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(**FOREST, max_features=ceil(0.5 * p), n_jobs=1, random_state=seed)


def net() -> Any:
    """Elastic net with the settings of `tauhat.outcome.ElasticNetModel`."""
    from sklearn.linear_model import ElasticNetCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=50, cv=5))


def half() -> Any:
    """Propensity model that says what the design says."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def econml_t(model: Callable[[int, int], Any]) -> Callable[[Trial, int], Fit]:
    """T-learner of econml."""

    def fit(trial: Trial, seed: int) -> Fit:
        from econml.metalearners import TLearner

        learner = TLearner(models=model(trial.X.shape[1], seed))
        learner.fit(trial.y, trial.arm, X=trial.X)
        return Fit(lambda X: learner.effect(X))

    return fit


def econml_x(trial: Trial, seed: int) -> Fit:
    """X-learner of econml."""
    from econml.metalearners import XLearner

    one = forest(trial.X.shape[1], seed)
    learner = XLearner(models=one, cate_models=one, propensity_model=half())
    learner.fit(trial.y, trial.arm, X=trial.X)
    return Fit(lambda X: learner.effect(X))


def econml_dr(trial: Trial, seed: int) -> Fit:
    """DR-learner of econml, five folds."""
    from econml.dr import DRLearner

    p = trial.X.shape[1]
    learner = DRLearner(
        model_propensity=half(),
        model_regression=forest(p + 1, seed),
        model_final=forest(p, seed),
        cv=5,
        random_state=seed,
    )
    learner.fit(trial.y, trial.arm, X=trial.X)
    return Fit(lambda X: learner.effect(X))


def econml_forest(trial: Trial, seed: int) -> Fit:
    """Causal forest of econml on residuals of a forest, five folds of whole clusters."""
    from econml.dml import CausalForestDML
    from sklearn.model_selection import GroupKFold

    groups = trial.clusters
    learner = CausalForestDML(
        model_y=forest(trial.X.shape[1], seed),
        model_t=half(),
        discrete_treatment=True,
        cv=5 if groups is None else GroupKFold(5),
        **CAUSAL_FOREST,
        n_jobs=1,
        random_state=seed,
    )
    learner.fit(trial.y, trial.arm, X=trial.X, groups=groups)
    return Fit(lambda X: learner.effect(X), lambda X: learner.effect_interval(X, alpha=0.05))


def causalml_meta(kind: str) -> Callable[[Trial, int], Fit]:
    """Meta-learner of causalml with the propensity of the design."""

    def fit(trial: Trial, seed: int) -> Fit:
        from causalml.inference import meta

        learner = getattr(meta, f"Base{kind}Regressor")(learner=forest(trial.X.shape[1], seed))
        known = np.full(len(trial.y), 0.5)
        learner.fit(trial.X, trial.arm, trial.y, p=known)

        def effect(X: Array) -> Array:
            return learner.predict(X, p=np.full(len(X), 0.5), verbose=False)[:, 0]

        return Fit(effect)

    return fit


def metalearners_meta(kind: str) -> Callable[[Trial, int], Fit]:
    """Meta-learner of metalearners, cross-fitted over five folds as it always is."""

    def fit(trial: Trial, seed: int) -> Fit:
        import metalearners
        from sklearn.dummy import DummyClassifier
        from sklearn.ensemble import RandomForestRegressor

        settings = {**FOREST, "max_features": ceil(0.5 * trial.X.shape[1]), "n_jobs": 1}
        extra: dict[str, Any] = {}
        if kind != "T":
            extra = {
                "treatment_model_factory": RandomForestRegressor,
                "treatment_model_params": settings,
                "propensity_model_factory": DummyClassifier,
                "propensity_model_params": {"strategy": "prior"},
            }
        learner = getattr(metalearners, f"{kind}Learner")(
            is_classification=False,
            n_variants=2,
            nuisance_model_factory=RandomForestRegressor,
            nuisance_model_params=settings,
            n_folds=5,
            random_state=seed,
            **extra,
        )
        learner.fit(X=trial.X, y=trial.y, w=trial.arm)
        return Fit(lambda X: learner.predict(X, is_oos=True).reshape(len(X)))

    return fit


def stochtree_bart(burn_in: int, draws: int) -> Callable[[Trial, int], Fit]:
    """S-learner on stochtree's BART, with its random intercept when there are clusters."""

    def fit(trial: Trial, seed: int) -> Fit:
        from stochtree import BARTModel

        groups: dict[str, Any] = {}
        if trial.clusters is not None:
            groups = {
                "rfx_group_ids_train": trial.clusters.astype(int),
                "random_effects_params": {"model_spec": "intercept_only"},
            }
        model = BARTModel()
        model.sample(
            X_train=np.column_stack([trial.X, trial.arm - 0.5]),
            y_train=trial.y,
            num_gfr=GROW,
            num_burnin=burn_in,
            num_mcmc=draws,
            general_params={"num_chains": CHAINS, "random_seed": seed, "num_threads": 1},
            mean_forest_params={"num_trees": 50},
            **groups,
        )

        def posterior(X: Array) -> Array:
            treated, control = (
                model.predict(
                    np.column_stack([X, np.full(len(X), z)]), type="posterior", terms="mean_forest"
                )
                for z in (0.5, -0.5)
            )
            return treated - control

        return Fit(lambda X: posterior(X).mean(axis=1), lambda X: quantiles(posterior(X)))

    return fit


def stochtree_bcf(trial: Trial, seed: int) -> Fit:
    """BCF of stochtree, with its random intercept when there are clusters."""
    from stochtree import BCFModel

    groups: dict[str, Any] = {}
    anyone: int | None = None
    if trial.clusters is not None:
        anyone = int(trial.clusters[0])
        groups = {
            "rfx_group_ids_train": trial.clusters.astype(int),
            "random_effects_params": {"model_spec": "intercept_only"},
        }
    model = BCFModel()
    model.sample(
        X_train=trial.X,
        Z_train=trial.arm.astype(float),
        y_train=trial.y,
        propensity_train=np.full(len(trial.y), 0.5),
        num_gfr=GROW,
        num_burnin=BURN_IN,
        num_mcmc=DRAWS,
        general_params={
            "num_chains": CHAINS,
            "random_seed": seed,
            "num_threads": 1,
            "propensity_covariate": "none",
        },
        prognostic_forest_params={"num_trees": OUTCOME_TREES},
        treatment_effect_forest_params={"num_trees": EFFECT_TREES},
        **groups,
    )

    def posterior(X: Array) -> Array:
        k = len(X)
        draws = model.predict(
            X=X,
            Z=np.ones(k),
            propensity=np.full(k, 0.5),
            # It must be told a cluster, though no intercept enters an effect.
            rfx_group_ids=None if anyone is None else np.full(k, anyone),
            type="posterior",
            terms="cate",
        )
        return np.asarray(draws).reshape(k, -1)

    return Fit(lambda X: posterior(X).mean(axis=1), lambda X: quantiles(posterior(X)))


def quantiles(draws: Array) -> Limits:
    """Pointwise 95% limits of draws of shape (persons, draws)."""
    low, high = np.quantile(draws, [0.025, 0.975], axis=1)
    return low, high


def merf_s(trial: Trial, seed: int) -> Fit:
    """S-learner on the forest of the package merf, its usual 20 iterations."""
    import logging

    import merf
    import pandas as pd
    from sklearn.ensemble import RandomForestRegressor

    logging.disable(logging.INFO)
    columns = trial.X.shape[1] + 1
    engine = RandomForestRegressor(
        MERF_TREES,
        min_samples_leaf=5,
        max_features=ceil(0.5 * columns),
        n_jobs=1,
        random_state=seed,
    )
    model = merf.MERF(fixed_effects_model=engine, max_iterations=20)
    features = np.column_stack([trial.X, trial.arm])
    clusters = pd.Series(trial.clusters)
    model.fit(features, np.ones((len(features), 1)), clusters, pd.Series(trial.y))
    fixed = model.trained_fe_model

    def effect(X: Array) -> Array:
        treated, control = (
            fixed.predict(np.column_stack([X, np.full(len(X), z)])) for z in (1.0, 0.0)
        )
        return treated - control

    return Fit(effect)


def gpboost_s(trial: Trial, seed: int) -> Fit:
    """S-learner on gpboost, rounds by its own cross-validation over whole clusters."""
    import gpboost

    features = np.column_stack([trial.X, trial.arm])
    settings = {
        "learning_rate": 0.05,
        "num_leaves": 4,
        "min_data_in_leaf": 10,
        "min_data_in_bin": 1,
        "max_bin": 63,
        "lambda_l2": 5.0,
        "verbose": -1,
        "num_threads": 1,
        "seed": seed,
    }
    labels = np.unique(trial.clusters)
    part = dict(zip(labels, np.random.default_rng(seed).permutation(len(labels)) % 5, strict=True))
    fold = np.array([part[label] for label in trial.clusters])
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]

    def intercept() -> Any:
        return gpboost.GPModel(
            group_data=trial.clusters, likelihood="gaussian", num_parallel_threads=1
        )

    searched = gpboost.cv(
        params={**settings, "metric": "mse", "use_gp_model_for_validation": False},
        train_set=gpboost.Dataset(features, label=trial.y, free_raw_data=False),
        num_boost_round=MOST_ROUNDS,
        gp_model=intercept(),
        folds=splits,
        verbose_eval=False,
    )
    curve = next(values for key, values in searched.items() if key.endswith("mean"))
    booster = gpboost.train(
        params=settings,
        train_set=gpboost.Dataset(features, label=trial.y),
        num_boost_round=int(np.argmin(curve)) + 1,
        gp_model=intercept(),
    )

    def effect(X: Array) -> Array:
        treated, control = (
            booster.predict(np.column_stack([X, np.full(len(X), z)]), ignore_gp_model=True)
            for z in (1.0, 0.0)
        )
        return treated - control

    return Fit(effect)


@cache
def packages_of_r() -> dict[str, str]:
    """Packages of R that are installed, of those asked for, and their versions; none without R."""
    program = which("Rscript")
    if program is None:
        return {}
    asked = ",".join(f"'{name}'" for name in R_PACKAGES)
    code = (
        f"for (p in c({asked})) if (nzchar(system.file(package = p))) "
        "cat(p, as.character(packageVersion(p)), fill = TRUE)"
    )
    done = subprocess.run([program, "-e", code], capture_output=True, text=True, check=True)
    return dict(line.split() for line in done.stdout.splitlines())


def in_r(package: str) -> Callable[[Trial, int], Fit]:
    """Adapter of a package of R: one process of Rscript that measures itself."""

    def fit(trial: Trial, seed: int) -> Fit:
        import pandas as pd

        answers: dict[str, Any] = {}

        def run(X: Array) -> Array:
            with TemporaryDirectory() as folder:
                table = pd.DataFrame(trial.X).add_prefix("x")
                table = table.assign(y=trial.y, arm=trial.arm)
                if trial.clusters is not None:
                    table = table.assign(cluster=trial.clusters)
                table.to_csv(Path(folder) / "trial.csv", index=False)
                pd.DataFrame(X).add_prefix("x").to_csv(Path(folder) / "new.csv", index=False)
                command = ["Rscript", str(_HERE / "peers.R"), package, folder, str(seed)]
                subprocess.run(command, check=True, capture_output=True)
                found = pd.read_csv(Path(folder) / "effects.csv")
            answers["limits"] = found.low.to_numpy(), found.high.to_numpy()
            answers["cost"] = {
                "cpu_seconds": float(found.seconds[0]),
                "peak_MiB": float(found.peak[0]),
            }
            return found.effect.to_numpy()

        return Fit(run, lambda X: answers["limits"], lambda: answers["cost"])

    return fit
