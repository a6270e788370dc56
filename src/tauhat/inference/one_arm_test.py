"""Whether effects differ between persons where one arm only has clusters: signs are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from tauhat._typing import FloatArray, IntArray
from tauhat.data import TrialData
from tauhat.design import ClustersInOneArm
from tauhat.design.clusters_in_one_arm import FEWEST_FOR_TEST
from tauhat.design.permutations import BATCH
from tauhat.errors import NothingToTestError
from tauhat.inference.heterogeneity_comparison import Problem
from tauhat.inference.heterogeneity_components import person_scores
from tauhat.inference.inputs import OrderedTrial
from tauhat.numerics.cluster_sums import sums_over
from tauhat.numerics.seeds import derive_seed


@dataclass(frozen=True)
class Signs:
    """Random signs of the units' scores, in place of the assignments of a permutation test.

    Attributes
    ----------
    n_units
        Units whose scores get a sign.
    n_assignments
        Sets of signs compared, the one of plus only included.
    seed
        Seed.
    free
        Share of the residuals' degrees of freedom that the regression left: residuals, and so the
        scores whose signs are drawn, are smaller by this than errors are.
    """

    n_units: int
    n_assignments: int
    seed: int
    free: float = 1.0
    enumerated: bool = False

    @property
    def words(self) -> str:
        """What was compared with the scores as they are."""
        return f"{self.n_assignments - 1} sets of random signs"

    @property
    def smallest_p(self) -> float:
        """Smallest p-value that can come of them."""
        return 1 / self.n_assignments

    def batches(self) -> Iterator[FloatArray]:
        """Signs of the units, shape (k, m) each; the very first row is the observed one."""
        remaining = self.n_assignments - 1
        for number, start in enumerate(range(0, remaining, BATCH)):
            rng = np.random.default_rng(derive_seed(self.seed, "signs", number))
            size = min(BATCH, remaining - start)
            rows = (2 * rng.integers(0, 2, (size, self.n_units)) - 1).astype(np.float64)
            if start == 0:
                rows = np.vstack([np.full((1, self.n_units), np.sqrt(self.free)), rows])
            yield rows


def problem_in_one_arm(ordered: OrderedTrial, wanted: Mapping[str, float]) -> tuple[Problem, float]:
    r"""Scores and statistics of the components where one arm only has clusters.

    Outcome and covariates are centred within clusters, and within the other arm (and block), so
    that what a cluster adds drops out. With the residual :math:`r_i` of a smooth function of the
    covariates, the same in both arms, and the basis :math:`B_i` of a component

    .. math:: U_j = \sum_{i \in j} C_i r_i, \qquad
              T = \sum_k \Bigl(\sum_j U_{jk}\Bigr)^2 \Big/ \sum_j U_{jk}^2

    with :math:`C_i` the part of :math:`(A_i - \bar A) B_i` that the basis does not explain,
    over units j: clusters, and persons of the other arm. Were the effect the same for everyone,
    the :math:`U_j` would be independent with mean zero, whatever their variances; T is compared
    with its values under random signs of the units (score form of the wild cluster bootstrap,
    Kline and Santos 2012). Arms are not permuted: clusters came about after randomization, and
    their persons are alike where single ones are not.

    Returns
    -------
    problem
        Scores and statistics.
    free
        As in `Signs`.

    Raises
    ------
    NothingToTestError
        With fewer than eight clusters of several persons, or no covariate that varies in them.
    """
    data = ordered.data
    design = data.design
    assert isinstance(design, ClustersInOneArm)
    several = int((np.bincount(design.unit) > 1).sum())
    if several < FEWEST_FOR_TEST:
        raise NothingToTestError(
            f"there are {several} clusters of two persons or more, all in one arm, and the test "
            f"needs {FEWEST_FOR_TEST}: with fewer, its size was not shown to hold"
        )
    scores = person_scores(data, ~ordered.marks, design.centred)
    statistics: dict[str, Callable[[FloatArray], FloatArray]] = {}
    n_terms: dict[str, int] = {}
    for name, basis in scores.bases.items():
        if wanted.get(name, 0) > 0:
            units = _unit_scores(basis, scores.residual, data)
            statistics[name] = partial(_joint, units)
            n_terms[name] = basis.shape[1]
    person = np.flatnonzero(scores.person_level).astype(np.int64)
    if not statistics:
        raise NothingToTestError("there is nothing to test: no covariate varies within clusters")
    columns: list[tuple[IntArray, partial[FloatArray]]] = [
        (person, partial(_signed, _unit_scores(scores.covariates, scores.residual, data)))
    ]
    total = sum(wanted[name] for name in statistics)
    left = data.n - int(design.centred.max()) - 1
    problem = Problem(
        statistics,
        n_terms,
        {name: wanted[name] / total for name in statistics},
        list(columns),
        data.cluster_level,
        True,
        (),
    )
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    squares = float(weight @ scores.residual**2) / weight.mean()
    return problem, min(squares / max(scores.residual_variance * left, 1e-300), 1.0)


def _unit_scores(basis: FloatArray, residual: FloatArray, data: TrialData) -> FloatArray:
    """Score of each unit for an effect that differs, shape (m, K)."""
    weight = np.ones(data.n) if data.sample_weight is None else data.sample_weight
    apart = data.treatment - np.average(data.treatment, weights=weight)
    contrast = basis * apart[:, None]
    # Less what the arms' common slopes explain of it, which the residuals are free of.
    weighted = basis * weight[:, None]
    common = np.linalg.pinv(basis.T @ weighted, hermitian=True) @ (weighted.T @ contrast)
    contrast -= basis @ common
    return sums_over(data.design.unit, contrast * (weight * residual)[:, None], data.n_units)


def _signed(units: FloatArray, signs: FloatArray) -> FloatArray:
    """Sum of the scores over the root of their squares, for each set of signs, shape (k, K)."""
    spread = np.sqrt((units**2).sum(axis=0))
    found: FloatArray = (signs @ units) / np.where(spread > 0, spread, np.inf)
    return found


def _joint(units: FloatArray, signs: FloatArray) -> FloatArray:
    """Sum of the squares over the columns, shape (k,)."""
    squares: FloatArray = (_signed(units, signs) ** 2).sum(axis=1)
    return squares
