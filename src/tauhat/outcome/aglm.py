"""Accurate generalised linear model: lasso on steps of every covariate."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.design.folds import cluster_folds
from tauhat.numerics.dummies import (
    continuous_dummies,
    equal_frequency_breaks,
    jump_dummies,
    l_variables,
)
from tauhat.numerics.elastic_net_path import fit_elastic_net
from tauhat.numerics.seeds import resolve_seed
from tauhat.outcome.scaling import StandardizedModel

Encoding = Literal["jump", "continuous", "l-variable"]

# More columns than this cost time and add nothing at trial sizes.
_MOST_COLUMNS = 2000


class AGLMModel(StandardizedModel):
    r"""Lasso on dummies that nest the bins of every covariate.

    .. math:: \hat\mu(x) = a + \sum_j \Big\{ b_j x_j + \sum_k c_{jk}\, d_{jk}(x_j) \Big\}

    With the default "jump" dummies :math:`d_{jk}(x) = 1(x \ge b_{jk})` the penalty
    on :math:`c_{jk}` is one on jumps, and the fit of each covariate a step
    function beside a line. Binary covariates enter as they are. All columns are
    scaled to variance one; whole clusters stay together in the folds that
    choose the penalty.

    Parameters
    ----------
    encoding
        "jump", "continuous" (ramps) or "l-variable" (changes of slope).
    n_bins
        Most bins of a covariate, of equal frequency, of five rows or more. At
        250 and 750 rows and 10 covariates 25 are as accurate as 50 or 100 and
        3 and 30 times as fast.
    l1_ratio
        Share of the lasso in the elastic-net penalty.
    n_folds
        Folds of the cross-validation.
    random_state
        Seed of the folds.

    Attributes
    ----------
    breaks_
        Breaks of each covariate in standard units; None for a binary one.

    References
    ----------
    Fujita, Tanaka, Kondo and Iwasawa (2020), AGLM: a hybrid modeling method of
    GLM and data science techniques.

    Examples
    --------
    >>> x = np.random.default_rng(1).uniform(-1, 1, size=(300, 2))
    >>> model = AGLMModel(random_state=1).fit(x, 3.0 + (x[:, 0] > 0.2))
    >>> model.predict(np.array([[0.0, 0.0], [0.4, 0.0]])).round(1).tolist()
    [3.0, 4.0]
    """

    needs_interactions: ClassVar[bool] = True

    def __init__(
        self,
        *,
        encoding: Encoding = "jump",
        n_bins: int = 25,
        l1_ratio: float = 1.0,
        n_folds: int = 5,
        random_state: Any = None,
    ) -> None:
        self.encoding = encoding
        self.n_bins = n_bins
        self.l1_ratio = l1_ratio
        self.n_folds = n_folds
        self.random_state = random_state

    def _fit_standardized(
        self,
        X: FloatArray,
        z: FloatArray,
        clusters: IntArray | None,
        sample_weight: FloatArray | None,
    ) -> None:
        if self.encoding not in ("jump", "continuous", "l-variable"):
            raise ValueError(
                f"encoding must be 'jump', 'continuous' or 'l-variable', got {self.encoding!r}"
            )
        n, p = X.shape
        # A bin of fewer than five rows cannot show a step of its own.
        bins = max(2, min(self.n_bins, n // 5, _MOST_COLUMNS // p))
        self.breaks_ = [
            equal_frequency_breaks(X[:, j], bins) if len(np.unique(X[:, j])) > 2 else None
            for j in range(p)
        ]
        raw = self._encode(X)
        self.centre_ = raw.mean(axis=0)
        spread = raw.std(axis=0)
        self.spread_ = np.where(spread > 1e-10, spread, 1.0)
        folds = cluster_folds(n, clusters, self.n_folds, resolve_seed(self.random_state))
        self.solution_ = fit_elastic_net(
            (raw - self.centre_) / self.spread_,
            z,
            folds,
            sample_weight=sample_weight,
            l1_ratios=(self.l1_ratio,),
            n_penalties=40,
            # Neighbouring dummies are almost equal: the end of the path only chases noise.
            smallest_penalty=1e-2,
        )

    def _encode(self, X: FloatArray) -> FloatArray:
        columns = [X]
        for j, breaks in enumerate(self.breaks_):
            if breaks is None or len(breaks) < 3:
                continue
            if self.encoding == "jump":
                # A step at the largest value would belong to that one row.
                columns.append(jump_dummies(X[:, j], breaks[1:-1]))
            elif self.encoding == "continuous":
                columns.append(continuous_dummies(X[:, j], breaks))
            else:
                columns.append(l_variables(X[:, j], breaks))
        return np.hstack(columns)

    def _predict_standardized(self, X: FloatArray) -> FloatArray:
        return self.solution_.predict((self._encode(X) - self.centre_) / self.spread_)
