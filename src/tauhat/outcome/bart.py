"""Bayesian additive regression trees, with and without a random intercept."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import clone
from stochtree import BARTModel

from tauhat._typing import FloatArray, IntArray
from tauhat.base import VarianceComponents
from tauhat.numerics.em import identified_clusters
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.outcome.scaling import StandardizedModel
from tauhat.outcome.tree_draws import TreeDraws

# Growing from the root looks at every cutpoint of every column it is given: 15 s
# for 1,000 columns, and as good on a random 100 of them for each tree.
MOST_COLUMNS_TO_GROW = 100


class BART(StandardizedModel):
    r"""Bayesian additive regression trees (Chipman, George and McCulloch 2010).

    .. math:: y = \sum_{h=1}^{H} g_h(x) + e, \quad e \sim N(0, \sigma^2)

    Each chain starts from a forest grown greedily from the root (He and Hahn
    2023), so short chains suffice for the posterior mean; several short chains
    predict better than one long one of the same total length. For
    calibrated draws ask for ten times the ``n_draws`` and ``n_burn_in``.

    Parameters
    ----------
    n_trees
        Number of trees H.
    n_chains
        Number of chains.
    n_grow
        Greedy iterations that start the chains, at least ``n_chains``.
    n_burn_in
        Iterations of each chain that are thrown away.
    n_draws
        Draws kept of each chain.
    random_state
        Seed.

    Attributes
    ----------
    tree_draws_
        Draws of the sum of trees, in standard units; None when the outcome is
        constant or has fewer than three rows.
    sigma_draws_
        Draws of the residual standard deviation, in units of the outcome,
        shape (``n_chains * n_draws``,), chain after chain.

    Examples
    --------
    >>> X = np.random.default_rng(1).normal(size=(200, 3))
    >>> model = BART(random_state=1).fit(X, 3.0 + (X[:, 0] > 0))
    >>> model.predict(np.array([[-1.0, 0, 0], [1.0, 0, 0]])).round(1).tolist()
    [3.0, 4.0]
    >>> model.predict_draws(X[:5]).shape
    (200, 5)
    """

    def __init__(
        self,
        *,
        n_trees: int = 50,
        n_chains: int = 4,
        n_grow: int = 10,
        n_burn_in: int = 50,
        n_draws: int = 50,
        random_state: Any = None,
    ) -> None:
        self.n_trees = n_trees
        self.n_chains = n_chains
        self.n_grow = n_grow
        self.n_burn_in = n_burn_in
        self.n_draws = n_draws
        self.random_state = random_state

    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        self._sample(X, z, sample_weight, None)

    def _sample(
        self,
        X: FloatArray,
        z: FloatArray,
        sample_weight: FloatArray | None,
        groups: IntArray | None,
    ) -> BARTModel | None:
        """Run the chains; without an engine when there are too few rows to split."""
        if self.n_grow < self.n_chains:
            raise ValueError(
                f"n_grow ({self.n_grow}) must be at least n_chains ({self.n_chains}): "
                "every chain starts from its own greedy forest"
            )
        self.tree_draws_ = None
        self.sign_ = orientation(z)
        z = self.sign_ * z
        self.sigma_draws_ = np.full(self.n_chains * self.n_draws, self.scale_)
        if len(z) < 3:
            return None
        # The engine's own weights enter the trees as variances, against its manual, and the
        # random intercepts not at all. Multiplied through by the root of the weight, the
        # model has equal variances: y = root * f(x) + root * b + e.
        root = None
        if sample_weight is not None and np.ptp(sample_weight) > 1e-9:
            root = np.sqrt(sample_weight)[:, None]
            z = z * root[:, 0]
        grouping: dict[str, Any] = {}
        if groups is not None:
            basis = np.ones((len(z), 1)) if root is None else root
            grouping = {"rfx_group_ids_train": groups, "rfx_basis_train": basis}
        engine = BARTModel()
        engine.sample(
            X_train=X,
            y_train=z,
            leaf_basis_train=root,
            num_gfr=self.n_grow,
            num_burnin=self.n_burn_in,
            num_mcmc=self.n_draws,
            general_params={
                "random_seed": derive_seed(resolve_seed(self.random_state), "bart"),
                "num_threads": 1,
                "num_chains": self.n_chains,
                "standardize": False,
            },
            mean_forest_params={
                "num_trees": self.n_trees,
                "min_samples_leaf": max(1, min(5, (len(z) - 1) // 4)),
                "num_features_subsample": min(X.shape[1], MOST_COLUMNS_TO_GROW),
            },
            random_effects_params={"model_spec": "custom"},
            **grouping,
        )
        self.tree_draws_ = TreeDraws(
            engine.forest_container_mean, self.n_trees, leaf_constant=root is None
        )
        self.sigma_draws_ = self.scale_ * np.sqrt(engine.global_var_samples)
        return engine

    def reduced(self) -> Self:
        """Return an unfitted copy with at most two short chains."""
        copy: Self = clone(self)
        copy.set_params(
            n_chains=min(self.n_chains, 2),
            n_burn_in=min(self.n_burn_in, 20),
            n_draws=min(self.n_draws, 30),
        )
        return copy

    def predict_draws(self, X: FloatArray) -> FloatArray:
        """Posterior draws of the expected outcome at an average cluster.

        Parameters
        ----------
        X
            Covariates, shape (k, p).

        Returns
        -------
        ndarray, shape (draws, k)
            Draws of the trees alone: never a seen cluster's effect.
        """
        if self.scale_ == 0 or self.tree_draws_ is None:
            return np.full((self.n_chains * self.n_draws, len(X)), self.location_)
        trees = self.tree_draws_.predict(self.columns_.apply(X))
        return self.location_ + self.scale_ * self.sign_ * trees

    def _predict_standardized(self, X: FloatArray) -> FloatArray:
        if self.tree_draws_ is None:
            return np.zeros(len(X))
        mean: FloatArray = self.sign_ * self.tree_draws_.predict(X).mean(axis=0)
        return mean


class MixedBART(BART):
    r"""Bayesian additive regression trees with a random intercept of the cluster.

    .. math:: y_{ij} = \sum_{h=1}^{H} g_h(x_{ij}) + b_i + e_{ij},\quad
              b_i \sim N(0, \sigma_b^2),\; e_{ij} \sim N(0, \sigma^2)

    Without clusters, with a single one or with one row in each, the intercept
    is not identified and the model is `BART`.

    Parameters
    ----------
    n_trees, n_chains, n_grow, n_burn_in, n_draws, random_state
        As in `BART`.

    Attributes
    ----------
    variance_components_
        Posterior means of the variances; a between-cluster variance of 0 when
        there is no intercept.
    cluster_labels_, cluster_effects_
        Cluster codes of the fit and the posterior means of their intercepts.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(20), 20)
    >>> X = rng.normal(size=(400, 3))
    >>> y = X[:, 0] + rng.normal(size=20)[clusters] + rng.normal(size=400)
    >>> model = MixedBART(random_state=1).fit(X, y, clusters=clusters)
    >>> 0.2 < model.variance_components_.icc < 0.5
    True
    """

    models_clusters: ClassVar[bool] = True

    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        groups = identified_clusters(clusters)
        engine = self._sample(X, z, sample_weight, groups)
        self.cluster_labels_ = np.zeros(0, dtype=np.int64)
        if clusters is not None and groups is not None:
            self.cluster_labels_ = np.unique(clusters)
        self.cluster_effects_ = np.zeros(len(self.cluster_labels_))
        self.between_draws_ = np.zeros(len(self.sigma_draws_))
        if engine is not None and groups is not None:
            effects, variance = intercept_draws(engine)
            self.cluster_effects_ = self.scale_ * self.sign_ * effects.mean(axis=0)
            self.between_draws_ = self.scale_**2 * variance

    @property
    def variance_components_(self) -> VarianceComponents:
        """Posterior means of the variances between clusters and of the residual."""
        if self.scale_ == 0:
            return VarianceComponents(0.0, 0.0)
        return VarianceComponents(
            float(self.between_draws_.mean()), float((self.sigma_draws_**2).mean())
        )


def orientation(z: FloatArray) -> float:
    """Sign that turns an outcome so that its long tail is to the right.

    A chain on ``-z`` is another chain; one on ``orientation(z) * z`` is the same
    for both, so that a model fitted to it only changes its sign.

    Examples
    --------
    >>> z = np.array([-1.0, -1.0, 2.0])
    >>> orientation(z), orientation(-z)
    (1.0, -1.0)
    """
    skewness = float((z**3).sum())
    if skewness == 0:
        skewness = float(z[np.flatnonzero(z)[0]])
    return 1.0 if skewness > 0 else -1.0


def intercept_draws(engine: Any) -> tuple[FloatArray, FloatArray]:
    r"""Draws of the random intercepts and of their variance from a stochtree model.

    The engine writes the intercept as :math:`\alpha \xi_i` with
    :math:`\xi_i \sim N(0, \sigma_\xi^2)` (Gelman, van Dyk, Huang and
    Boscardin 2008); its variance is :math:`\alpha^2 \sigma_\xi^2`.

    Parameters
    ----------
    engine
        A sampled `stochtree.BARTModel` or `stochtree.BCFModel`.

    Returns
    -------
    effects
        Shape (draws, clusters), clusters in sorted order of their codes.
    variance
        Shape (draws,).
    """
    samples = engine.rfx_container.extract_parameter_samples()
    effects = np.asarray(samples["beta_samples"], dtype=np.float64).T
    order = np.argsort(np.asarray(engine.rfx_container.rfx_group_ids))
    variance = np.asarray(samples["alpha_samples"]) ** 2 * np.asarray(samples["sigma_samples"])
    return effects[:, order], variance.astype(np.float64).ravel()
