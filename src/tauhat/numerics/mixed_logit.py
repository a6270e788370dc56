"""Generalised linear mixed models with ridge blocks, by penalised quasi-likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tauhat._typing import BoolArray, FloatArray, IntArray
from tauhat.numerics import cholesky
from tauhat.numerics.responses import Response
from tauhat.numerics.variance_updates import extrapolated, log_variances, shown
from tauhat.numerics.working_outcome import Solution, WorkingModel, working_model

_FIRST_VARIANCE = 0.1
_FIRST_PASSES = 2
_SHORTEST_STEP, _ROUNDING = 1e-4, 1e-12
# Log-likelihood, over the tolerance, that a last pass may still gain.
_LEAST_GAIN = 0.01


@dataclass(frozen=True, eq=False)
class GeneralisedFit:
    """A fitted generalised linear mixed model.

    Attributes
    ----------
    coefficients
        Fixed effects, then the coefficients of each block, shape (q,).
    covariance_root
        Upper-triangular R with ``R'R`` the precision of the coefficients once
        the random intercepts are integrated out, shape (q, q).
    block_variances
        Variance of each block's coefficients; 0 for a block that is off.
    cluster_variances
        Variance of the random intercept in each group of clusters, shape (g,);
        empty without clusters. Too small where clusters hold few events: see
        `tauhat.numerics.integrated_intercepts`.
    nesting_variance
        Variance of the intercepts of what the clusters lie in (0 without).
    cluster_effects, nesting_effects
        Predicted intercepts; empty without.
    effective
        Effective number of coefficients of each block, of the cluster intercepts
        of each group and of what they lie in.
    predictor
        Linear predictor of each row, offset and intercepts in it, shape (n,).
    response
        The outcomes, with the overdispersion that was fitted.
    log_marginal
        Laplace approximation of the log-likelihood with all random coefficients
        and those with a prior integrated out, the exponential priors' logs
        (without their constants) in it. Of fits that differ in fixed variances
        only, differences are log ratios of posterior densities.
    settled
        Whether the variances stopped moving.
    passes
        Number of passes over the rows.
    """

    coefficients: FloatArray
    covariance_root: FloatArray
    block_variances: FloatArray
    cluster_variances: FloatArray
    nesting_variance: float
    cluster_effects: FloatArray
    nesting_effects: FloatArray
    effective: FloatArray
    predictor: FloatArray
    response: Response
    log_marginal: float
    settled: bool
    passes: int

    def standard_errors(self, contrasts: FloatArray) -> FloatArray:
        """Standard errors of ``contrasts @ coefficients`` for contrasts of shape (k, q)."""
        solved = cholesky.solve_transposed(self.covariance_root, np.asfortranarray(contrasts.T))
        errors: FloatArray = np.sqrt((solved**2).sum(axis=0))
        return errors

    def draws(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Draws of all coefficients from their normal approximation, shape (count, q).

        The variances are held at their estimates.
        """
        noise = rng.normal(size=(count, len(self.coefficients)))
        spread = cholesky.solve(self.covariance_root, np.asfortranarray(noise.T))
        drawn: FloatArray = self.coefficients + spread.T
        return drawn


@dataclass(frozen=True, eq=False)
class _State:
    """Coefficients and intercepts, and the predictor that they make."""

    coefficients: FloatArray
    cluster_effects: FloatArray
    nesting_effects: FloatArray
    predictor: FloatArray
    made: bool = True


class GeneralisedMixedModel:
    r"""Generalised linear mixed model with ridge blocks and random intercepts.

    .. math::
        g(\mathrm{E}\,y) = o + F\beta + \sum_k Z_k u_k + g_{s(c)} + b_c, \quad
        \beta_j \sim N(m_j, 1/p_j),\; u_k \sim N(0, v_k I),\; b_c \sim N(0, v_b),\;
        g_s \sim N(0, v_s)

    by restricted penalised quasi-likelihood: each pass solves the linear mixed
    model of the working outcome :math:`z = \eta + (y - \mu)/w` with known
    residual variances 1/w, and updates every variance in it by Fellner's and
    Schall's formula

    .. math::
        v_k \leftarrow \frac{u_k'u_k}{q_k - \mathrm{tr}(\Sigma_k)/v_k + \rho_k\sqrt{v_k}}

    with :math:`\Sigma_k` the posterior covariance of the block, given the
    variances only, and :math:`\rho_k` the rate of an exponential prior on
    :math:`\sqrt{v_k}`. Updates are extrapolated, steps of the coefficients are
    halved until the penalised likelihood rises. The random intercepts enter
    through sums over clusters: a pass costs one product of the columns
    whatever the number of clusters, so time is linear in the rows.

    With proper priors on the fixed effects the fit is finite whatever the
    outcomes are: without events in one arm or in both, and with covariates that
    separate events from the rest.

    Parameters
    ----------
    response
        Outcomes, see `tauhat.numerics.responses`.
    fixed
        Columns with a prior of their own, shape (n, f), n > f.
    blocks
        Column blocks, each with one shared variance.
    clusters
        Cluster number 0 to m - 1 of each row, or None for no random intercept.
    weight
        Positive sampling weights, or None. Only their ratios should count, so
        they should have mean one.
    offset
        Known part of the linear predictor, such as log person-time, or None.
    prior_mean, prior_precision
        Normal prior of the fixed effects, shape (f,); precision 0 (default) is
        a flat prior.
    rates
        Rate of the exponential prior on each standard deviation, that of the
        blocks first, shape (n_variances,) or shorter; 0, restricted likelihood, for
        those that are not given.
    cluster_groups
        Group 0 to g - 1 of each cluster, such as its arm, shape (m,): the
        intercept has one variance a group. None for one variance.
    nesting
        Block of the randomization in which each cluster lies, shape (m,), or None.
        Where persons are randomized in blocks, the blocks are the clusters.

    References
    ----------
    Breslow and Clayton (1993), Journal of the American Statistical Association
    88:9-25; Schall (1991), Biometrika 78:719-727; Wood and Fasiolo (2017),
    Biometrics 73:1071-1081.

    Examples
    --------
    >>> from tauhat.numerics.responses import Binomial
    >>> rng = np.random.default_rng(1)
    >>> clusters = np.repeat(np.arange(60), 30)
    >>> x = rng.normal(size=1800)
    >>> log_odds = x - 1 + 0.8 * rng.normal(size=60)[clusters]
    >>> y = (rng.random(1800) < 1 / (1 + np.exp(-log_odds))).astype(float)
    >>> fixed = np.column_stack([np.ones(1800), x])
    >>> fit = GeneralisedMixedModel(Binomial(y), fixed, clusters=clusters).fit()
    >>> bool(abs(fit.coefficients[1] - 1) < 0.15), bool(0.3 < fit.cluster_variances[0] < 1)
    (True, True)
    """

    def __init__(
        self,
        response: Response,
        fixed: FloatArray,
        blocks: Sequence[FloatArray] = (),
        clusters: IntArray | None = None,
        weight: FloatArray | None = None,
        offset: FloatArray | None = None,
        *,
        prior_mean: FloatArray | None = None,
        prior_precision: FloatArray | None = None,
        rates: FloatArray | None = None,
        cluster_groups: IntArray | None = None,
        nesting: IntArray | None = None,
    ) -> None:
        n, self.n_fixed = fixed.shape
        self.response, self.weight = response, weight
        self.columns = np.ascontiguousarray(np.hstack([fixed, *blocks]))
        edges = self.n_fixed + np.cumsum([0, *(block.shape[1] for block in blocks)])
        self.block_slices = [slice(int(a), int(b)) for a, b in pairwise(edges)]
        self.clusters, self.cluster_groups = clusters, cluster_groups
        self.nesting = None if clusters is None else nesting
        self.offset = np.zeros(n) if offset is None else offset
        self.prior_mean = np.zeros(self.n_fixed) if prior_mean is None else prior_mean
        flat = np.zeros(self.n_fixed)
        self.prior_precision = flat if prior_precision is None else prior_precision
        self.n_clusters = 0 if clusters is None else int(clusters.max()) + 1
        self.n_nesting = 0 if self.nesting is None else int(self.nesting.max()) + 1
        self.n_groups = 0
        if clusters is not None:
            self.n_groups = 1 if cluster_groups is None else int(cluster_groups.max()) + 1
        count = len(self.block_slices) + self.n_groups + (self.nesting is not None)
        self.rates = np.zeros(count)
        if rates is not None:
            self.rates[: len(rates)] = rates

    @property
    def n_variances(self) -> int:
        """Number of variances: of the blocks, of groups of clusters, of what these lie in."""
        return len(self.rates)

    def fit(
        self,
        *,
        variances: FloatArray | None = None,
        start: FloatArray | None = None,
        tolerance: float = 0.001,
        max_passes: int = 60,
    ) -> GeneralisedFit:
        """Fit coefficients and variances.

        Parameters
        ----------
        variances
            Positive variances to hold, shape (n_variances,); nan for one to be
            estimated. None estimates all.
        start
            Variances to start from; default .1 each. An exponential prior has a
            mode at zero beside any other, so the start matters.
        tolerance
            Change of a log variance that no longer counts.
        max_passes
            Most passes over the rows.

        Returns
        -------
        GeneralisedFit
        """
        held = np.full(self.n_variances, np.nan) if variances is None else variances
        first = np.full(self.n_variances, _FIRST_VARIANCE) if start is None else start
        free = np.isnan(held)
        logs = np.where(free, log_variances(np.where(free, first, 1.0)), 0.0)
        logs[~free] = np.log(held[~free])
        response, state = self.response, self._first_state()
        passes, moved = 0, np.inf if free.any() else 0.0
        settled = False
        while passes < max_passes and not settled:
            working = self.working(response, state.predictor)
            # The first predictors know little of the covariates, nor would the variances.
            if passes >= _FIRST_PASSES and free.any():
                logs, moved = self._updated(working, logs, free)
            solution = working.solution(np.exp(logs))
            state, gain = self._step(response, state, solution, np.exp(logs))
            passes += 1
            before = response.overdispersion
            response = response.with_overdispersion(
                state.predictor, self.weight, len(state.predictor) - self._used(solution)
            )
            scattered = abs(response.overdispersion - before) <= tolerance * (0.01 + before)
            settled = scattered and moved < tolerance and gain < _LEAST_GAIN * tolerance
        return self._fitted(response, state, logs, settled, passes)

    def _used(self, solution: Solution) -> float:
        """Effective number of all coefficients and intercepts."""
        return float(self.n_fixed + solution.effective.sum())

    def _first_state(self) -> _State:
        """A predictor that no coefficients stand for yet."""
        predictor = self.response.first_predictor(self.weight, self.offset)
        nothing = np.zeros(self.columns.shape[1])
        effects, nesting = np.zeros(self.n_clusters), np.zeros(self.n_nesting)
        return _State(nothing, effects, nesting, predictor, made=False)

    def working(self, response: Response, predictor: FloatArray) -> WorkingModel:
        """Linear mixed model of the working outcome at a predictor, shape (n,)."""
        score, curvature = response.score_and_weight(predictor)
        return working_model(
            predictor - self.offset + score / curvature,
            self.columns[:, : self.n_fixed],
            [self.columns[:, block] for block in self.block_slices],
            curvature if self.weight is None else curvature * self.weight,
            self.prior_mean,
            self.prior_precision,
            self.clusters,
            self.cluster_groups,
            self.nesting,
        )

    def _updated(
        self, working: WorkingModel, logs: FloatArray, free: BoolArray
    ) -> tuple[FloatArray, float]:
        """Log variances after two updates and what these promise, and how far they went."""

        def once(point: FloatArray) -> FloatArray:
            solution = working.solution(np.exp(point))
            shrink = solution.effective + self.rates * np.exp(point / 2)
            return np.where(free, log_variances(solution.squares / shrink), point)

        one = once(logs)
        new = np.where(free, extrapolated(logs, one, once(one)), logs)
        return new, float(np.abs(new - logs).max(initial=0.0))

    def _step(
        self, response: Response, state: _State, solution: Solution, variances: FloatArray
    ) -> tuple[_State, float]:
        """Go to the solution, or part of the way, so that the penalised likelihood rises."""
        before = self._penalised(response, state, variances) if state.made else -np.inf
        share = 1.0
        while True:
            new = self._between(state, solution, share)
            value = self._penalised(response, new, variances)
            if value >= before - _ROUNDING * abs(before):
                return new, value - before
            if share < _SHORTEST_STEP:
                return state, 0.0
            share /= 2

    def _between(self, state: _State, solution: Solution, share: float) -> _State:
        """The state that lies a share of the way from a state to a solution."""

        def part(old: FloatArray, new: FloatArray) -> FloatArray:
            mixed: FloatArray = old + share * (new - old)
            return mixed

        coefficients = part(state.coefficients, solution.coefficients)
        clusters = part(state.cluster_effects, solution.cluster_effects)
        nesting = part(state.nesting_effects, solution.nesting_effects)
        predictor = self.offset + self.columns @ coefficients
        if self.clusters is not None:
            levels = clusters if self.nesting is None else clusters + nesting[self.nesting]
            predictor = predictor + levels[self.clusters]
        return _State(coefficients, clusters, nesting, predictor)

    def _penalised(self, response: Response, state: _State, variances: FloatArray) -> float:
        """Log-likelihood plus the logs of the normal priors, without their constants."""
        rows = response.log_likelihood(state.predictor)
        value = float(rows.sum() if self.weight is None else self.weight @ rows)
        distance = state.coefficients[: self.n_fixed] - self.prior_mean
        penalty = float(self.prior_precision @ distance**2)
        for block, variance in zip(self.block_slices, variances, strict=False):
            penalty += float((state.coefficients[block] ** 2).sum()) / variance
        if self.clusters is not None:
            own = self.cluster_variance(variances)
            penalty += float((state.cluster_effects**2 / own).sum())
        if self.nesting is not None:
            penalty += float((state.nesting_effects**2).sum()) / variances[-1]
        return float(value - penalty / 2)

    def cluster_members(self) -> FloatArray:
        """Whether each cluster lies in each group, 0 or 1, shape (g, m)."""
        groups = np.zeros(self.n_clusters) if self.cluster_groups is None else self.cluster_groups
        members: FloatArray = (np.arange(self.n_groups)[:, None] == groups).astype(np.float64)
        return members

    def cluster_variance(self, variances: FloatArray) -> FloatArray:
        """Of all variances those of the intercepts, one a cluster or one for all."""
        first = len(self.block_slices)
        by_group = variances[first : first + self.n_groups]
        return by_group if self.cluster_groups is None else by_group[self.cluster_groups]

    def _fitted(
        self, response: Response, state: _State, logs: FloatArray, settled: bool, passes: int
    ) -> GeneralisedFit:
        """What is reported: the posterior at the last predictor."""
        variances = np.exp(logs)
        solution = self.working(response, state.predictor).solution(variances)
        marginal = self._penalised(response, state, variances)
        marginal -= (solution.log_volume + solution.intercept_volume) / 2
        marginal -= float(self.rates @ np.sqrt(variances))
        reported = shown(logs)
        blocks = len(self.block_slices)
        return GeneralisedFit(
            coefficients=state.coefficients,
            covariance_root=solution.root,
            block_variances=reported[:blocks],
            cluster_variances=reported[blocks : blocks + self.n_groups],
            nesting_variance=float(reported[-1]) if self.nesting is not None else 0.0,
            cluster_effects=state.cluster_effects,
            nesting_effects=state.nesting_effects,
            effective=solution.effective,
            predictor=state.predictor,
            response=response,
            log_marginal=float(marginal),
            settled=settled,
            passes=passes,
        )
