"""The second paper's eleven estimators put together from econml, scikit-learn, lightgbm, stochtree.

Each is composed on its own, as one would without tauhat, with tauhat's settings.
The consensus is given the effects of the nine single estimators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import lightgbm
import numpy as np
from scipy.stats import kendalltau
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestRegressor, StackingRegressor
from sklearn.linear_model import ElasticNetCV, LassoCV, LinearRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Array = np.ndarray
Effect = Callable[[Array], Array]

SINGLES = (
    "T-Linear",
    "S-BART",
    "X-AGLM",
    "X-BART",
    "X-Boosting",
    "X-RF",
    "DR-RF",
    "CF-DML-linear",
    "CF-DML-forest",
)


class Boosting(RegressorMixin, BaseEstimator):
    """LightGBM whose rounds five folds choose."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: Array, y: Array) -> Boosting:
        """Search the number of rounds, then fit them to all rows."""
        settings = {
            "objective": "regression",
            "learning_rate": 0.05,
            "num_leaves": 6,
            "min_data_in_leaf": min(8, max(1, len(y) // 5)),
            "min_data_in_bin": 1,
            "max_bin": 63,
            "lambda_l2": 1.0,
            "feature_pre_filter": False,
            "verbosity": -1,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "seed": self.seed,
        }
        folds = list(KFold(5, shuffle=True, random_state=self.seed).split(X))
        searched = lightgbm.cv(
            settings,
            lightgbm.Dataset(X, y, params=settings),
            300,
            folds=folds,
            stratified=False,
            metrics="l2",
            callbacks=[lightgbm.early_stopping(25, verbose=False)],
        )
        rounds = len(searched["valid l2-mean"])
        self.booster_ = lightgbm.train(
            settings, lightgbm.Dataset(X, y, params=settings), num_boost_round=rounds
        )
        return self

    def predict(self, X: Array) -> Array:
        """Prediction, shape (k,)."""
        return self.booster_.predict(X, num_threads=1)


class Steps(RegressorMixin, BaseEstimator):
    """Lasso on the covariates and on steps at their quantiles."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def _columns(self, X: Array) -> Array:
        steps = [X[:, [j]] >= breaks for j, breaks in enumerate(self.breaks_)]
        return np.hstack([X, *steps]).astype(float)

    def fit(self, X: Array, y: Array) -> Steps:
        """Place the steps and let five folds choose the penalty."""
        bins = max(2, min(25, len(y) // 5))
        shares = np.linspace(0, 1, bins + 1)
        self.breaks_ = [
            np.unique(np.quantile(column, shares, method="inverted_cdf"))[1:-1]
            if len(np.unique(column)) > 2
            else np.empty(0)
            for column in X.T
        ]
        folds = KFold(5, shuffle=True, random_state=self.seed)
        lasso = LassoCV(eps=1e-2, alphas=40, cv=folds, max_iter=1000)
        self.model_ = make_pipeline(StandardScaler(), lasso).fit(self._columns(X), y)
        return self

    def predict(self, X: Array) -> Array:
        """Prediction, shape (k,)."""
        return self.model_.predict(self._columns(X))


class Bart(RegressorMixin, BaseEstimator):
    """stochtree's BART, four short chains from greedy forests."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, X: Array, y: Array) -> Bart:
        """Sample."""
        from stochtree import BARTModel

        self.model_ = BARTModel()
        self.model_.sample(
            X_train=X,
            y_train=np.asarray(y, dtype=float),
            num_gfr=10,
            num_burnin=50,
            num_mcmc=50,
            general_params={"num_chains": 4, "random_seed": self.seed, "num_threads": 1},
            mean_forest_params={"num_trees": 50},
        )
        return self

    def predict(self, X: Array) -> Array:
        """Posterior mean, shape (k,)."""
        found = self.model_.predict(X, type="posterior", terms="mean_forest")
        return np.asarray(found).mean(axis=1)


def bases(p: int, seed: int) -> dict[str, Any]:
    """Outcome models by tauhat's words."""
    folds = KFold(5, shuffle=True, random_state=seed)
    return {
        "Linear": make_pipeline(
            StandardScaler(), ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=50, eps=1e-3, cv=folds)
        ),
        "RF": RandomForestRegressor(
            200, min_samples_leaf=5, max_features=ceil(0.5 * p), n_jobs=1, random_state=seed
        ),
        "Boosting": Boosting(seed),
        "AGLM": Steps(seed),
        "BART": Bart(seed),
    }


def fit_alone(name: str, X: Array, y: Array, arm: Array, seed: int) -> Effect:
    """One estimator of the eleven but the consensus, from its parts."""
    from econml.dml import CausalForestDML
    from econml.dr import DRLearner
    from econml.metalearners import TLearner, XLearner

    models = bases(X.shape[1], seed)
    half = DummyClassifier(strategy="prior")
    letter, _, kind = name.partition("-")
    if name == "S-BART":
        model = Bart(seed).fit(np.column_stack([X, arm - 0.5]), y)

        def effect(new: Array) -> Array:
            treated, control = (
                model.predict(np.column_stack([new, np.full(len(new), z)])) for z in (0.5, -0.5)
            )
            return treated - control

        return effect
    if name == "Stacked-X":
        members = [(kind, models[kind]) for kind in ("Linear", "RF", "Boosting", "AGLM")]
        folds = KFold(3, shuffle=True, random_state=seed)
        stack = StackingRegressor(members, LinearRegression(), cv=folds, n_jobs=1)
        learner: Any = XLearner(models=stack, cate_models=stack, propensity_model=half)
    elif letter == "T":
        learner = TLearner(models=models[kind])
    elif letter == "X":
        learner = XLearner(models=models[kind], cate_models=models[kind], propensity_model=half)
    elif letter == "DR":
        learner = DRLearner(
            model_propensity=half,
            model_regression=bases(X.shape[1] + 1, seed)[kind],
            model_final=models[kind],
            cv=5,
            random_state=seed,
        )
    else:
        learner = CausalForestDML(
            model_y=models["Linear" if name.endswith("linear") else "RF"],
            model_t=half,
            discrete_treatment=True,
            cv=5,
            n_estimators=400,
            min_samples_leaf=5,
            max_samples=0.45,
            inference=False,
            n_jobs=1,
            random_state=seed,
        )
    learner.fit(y, arm, X=X)
    return lambda new: np.asarray(learner.effect(new)).reshape(len(new))


def consensus(at_trial: Sequence[Array], new: Sequence[Array]) -> Array:
    """Mean of the effects before the largest fall of their mean Kendall correlation."""
    k = len(at_trial)
    mean = np.array(
        [
            np.mean([kendalltau(at_trial[i], at_trial[j]).statistic for j in range(k) if j != i])
            for i in range(k)
        ]
    )
    order = np.argsort(-mean, kind="stable")
    last = int(np.argmin(np.diff(mean[order])))
    return np.mean([new[i] for i in order[: last + 1]], axis=0)
