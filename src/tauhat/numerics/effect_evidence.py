"""How much the outcomes speak for an effect that differs between persons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import t as student

from tauhat._typing import FloatArray, IntArray
from tauhat.numerics.ridge_dictionary import RidgeDictionary
from tauhat.numerics.ridge_posterior import (
    BLOCK_SCALE,
    CLUSTER_SCALE,
    EFFECT_SCALES,
    posterior_mode,
    posterior_model,
    without_heterogeneity,
)
from tauhat.numerics.variance_points import PRIOR_DEGREES

# Nodes of equal prior mass over the size of the effect's variation.
_N_NODES = 10


@dataclass(frozen=True)
class EffectEvidence:
    """What the outcomes say about the shape of the effect.

    Attributes
    ----------
    log_bayes_factor
        Of an effect that varies against a constant one, natural logarithm.
    shapes
        Posterior probability, given that it varies, of each hypothesis about what varies, by
        name; empty where nothing can vary.
    """

    log_bayes_factor: float
    shapes: Mapping[str, float] = field(default_factory=dict)

    @property
    def linear(self) -> float:
        """Posterior probability, given that it varies, that it does so in straight lines only."""
        return self.shapes.get("linear", 0.0)


def effect_evidence(
    X: FloatArray,
    y: FloatArray,
    contrast: FloatArray,
    clusters: IntArray | None,
    weight: FloatArray | None,
    seed: int,
    nesting: IntArray | None = None,
) -> EffectEvidence:
    r"""Evidence for effect heterogeneity, and for straight lines as its shape.

    The reference model of `tauhat.numerics.ridge_posterior.sample_ridge_posterior`,
    with and without its blocks for the effect:

    .. math::
        B = \frac15 \sum_{h} \int \frac{p(y \mid s_h)}{p(y \mid 0)}\, p(s_h)\, ds_h

    over five hypotheses h of what varies: straight lines, lines and curves of
    single covariates, products, random trees, or all at once. The standard
    deviation :math:`s_h` of the varying effect, over the residual's, has the
    half-t prior of the reference model. The likelihood is restricted: level,
    average effect and straight lines of the outcome are integrated out. The
    variances of the outcome's part and of the random intercept are those fitted
    without heterogeneity, which favours the constant effect a little.

    A regression of held-out effects on outcomes loses most of its power with
    few clusters and is fooled when both rest on the same outcome model; a
    marginal likelihood uses every row once.

    Parameters
    ----------
    X
        Covariates, shape (n, p).
    y
        Outcome, shape (n,).
    contrast
        Treatment minus its probability, shape (n,).
    clusters
        Cluster number 0 to m - 1 of each row, or None.
    weight
        Positive precision weights, or None.
    seed
        Seed of the random trees.
    nesting
        Randomization block in which each cluster lies, shape (m,), or None.

    Returns
    -------
    EffectEvidence
        Its Bayes factor is 1 when no covariate varies or the outcome is
        constant.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> X, a = rng.normal(size=(300, 2)), np.tile([-0.5, 0.5], 150)
    >>> noise = rng.normal(size=300)
    >>> straight = effect_evidence(X, a * (1 + X[:, 0]) + noise, a, None, None, 1)
    >>> straight.log_bayes_factor > 5, straight.linear > 0.5
    (True, True)
    >>> effect_evidence(X, a + noise, a, None, None, 1).log_bayes_factor < 0
    True
    """
    spread = float(y.std())
    dictionary = RidgeDictionary(X, seed)
    features = dictionary.blocks(X)
    if spread == 0 or not features:
        return EffectEvidence(0.0)
    outcome = (y - y.mean()) / spread
    treated = contrast[:, None]
    effect = {name: treated * part for name, part in features.items()}
    fixed, columns, scales = without_heterogeneity(features, treated, X.shape[1])
    scales += [] if clusters is None else [CLUSTER_SCALE]
    scales += [] if nesting is None else [BLOCK_SCALE]
    others = (clusters, weight, nesting, X.shape[1])
    constant = posterior_model(outcome, fixed, columns, *others)
    fitted = posterior_mode(constant, np.array(scales))
    without = constant.deviance(fitted)
    middles = (np.arange(_N_NODES) + 0.5) / _N_NODES
    nodes = student.ppf((1 + middles) / 2, PRIOR_DEGREES)
    evidence = {}
    for name, varying in _hypotheses(effect).items():
        both = [*(effect[name] for name in varying), *columns]
        model = posterior_model(outcome, fixed, both, *others)
        # Several blocks at once vary together as much as one alone.
        sizes = np.array([EFFECT_SCALES[name] for name in varying]) / np.sqrt(len(varying))
        evidence[name] = np.logaddexp.reduce(
            [
                (without - model.deviance(np.r_[2 * np.log(node * sizes), fitted])) / 2
                for node in nodes
            ]
        )
    total = float(np.logaddexp.reduce(list(evidence.values())))
    return EffectEvidence(
        log_bayes_factor=total - float(np.log(len(evidence) * _N_NODES)),
        shapes={name: float(np.exp(one - total)) for name, one in evidence.items()},
    )


def _hypotheses(blocks: Iterable[str]) -> dict[str, list[str]]:
    """Blocks that vary under each hypothesis; curves come with the lines they bend."""
    names = list(blocks)
    varying = {name: [name] for name in names}
    if "additive" in varying:
        varying["additive"] = ["linear", "additive"]
    if len(names) > 1:
        varying["all"] = names
    return varying
