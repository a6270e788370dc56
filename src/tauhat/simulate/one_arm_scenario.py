"""A simulated trial of persons who are treated in groups, against persons who stay alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tauhat._typing import IntArray
from tauhat.numerics.seeds import resolve_seed
from tauhat.simulate.cluster import ClusterTrial
from tauhat.simulate.scenario import (
    RandomState,
    SimulatedTrial,
    part_generator,
    register_scenario,
    whole_number,
)


@dataclass(frozen=True, kw_only=True)
class OneArmTrial(ClusterTrial):
    """Persons are randomized 1:1; those treated are put into groups at random.

    Surfaces are those of `ClusterTrial`; all covariates, w1 and w2 too, belong to the person, and
    are independent. Person j of group i if treated, and each control k by itself, has

        Y_ij = mu0 + tau + b_i + e_ij,   Y_k = mu0 + e_k,   var(e_k) = control_variance var(e_ij)

    with b of variance ``icc * outcome_variance`` and e_ij of the rest.

    Attributes
    ----------
    n_clusters
        Number of groups, all of treated persons.
    control_variance
        Residual variance of controls over that within groups.

    Examples
    --------
    >>> trial = OneArmTrial(n_clusters=8).draw(random_state=1)
    >>> trial.data.design.name, trial.data.design.n_clusters
    ('clusters in one arm', 8)
    """

    n_clusters: int = 12
    mean_size: float = 10.0
    min_size: int = 4
    effect: str = "linear"
    control_variance: float = 1.0

    def __post_init__(self) -> None:
        """Refuse settings that make no such trial."""
        super().__post_init__()
        whole_number(self.n_clusters, "n_clusters", 4)
        if not self.control_variance > 0:
            raise ValueError(f"control_variance must be positive, got {self.control_variance}")
        plain = ClusterTrial()
        for name in (
            "share_treated", "prognosis_log_size", "effect_log_size", "cluster_effects",
            "residuals", "treated_cluster_variance", "treated_residual_variance", "effect_sd",
            "slope_sd", "dropout", "size_covariate", "extra_cluster",
        ):  # fmt: skip
            if getattr(self, name) != getattr(plain, name):
                raise ValueError(f"{name} has no place with clusters in one arm only")

    def draw(self, n: int | None = None, random_state: RandomState = None) -> SimulatedTrial:
        """Draw one trial; see `ClusterScenario.draw`.

        Parameters
        ----------
        n
            Number of persons in both arms; None for twice ``n_clusters * mean_size`` on average.
        random_state
            Seed.

        Returns
        -------
        SimulatedTrial
            Controls have a number of their own among ``clusters``. ``nodes`` has cluster_effect
            (b, of controls 0) and both potential outcomes, y1 in the group that a person had.
        """
        seed = resolve_seed(random_state)
        sizes = self._trial_sizes(None if n is None else n // 2, seed)
        treated = int(sizes.sum())
        controls = treated if n is None else n - treated
        m, count = self.n_clusters, treated + controls
        ones: IntArray = np.ones(count, dtype=np.int64)
        persons = self._persons(ones, ones, seed, "trial")
        clusters = np.r_[np.repeat(np.arange(m), sizes), m + np.arange(controls)]
        arm = (clusters < m).astype(np.int64)
        between = np.sqrt(self.icc * self.outcome_variance)
        of_groups = between * part_generator(seed, "trial", "cluster effects").standard_normal(m)
        level = np.zeros(count)
        level[:treated] = of_groups[clusters[:treated]]
        noise = part_generator(seed, "trial", "residuals").standard_normal(count)
        noise *= np.sqrt((1 - self.icc) * self.outcome_variance)
        nodes = persons.nodes.assign(
            cluster_effect=level,
            y0=persons.mu0 + np.sqrt(self.control_variance) * noise,
            y1=persons.mu0 + persons.tau + level + noise,
        )
        return self._seen(persons, clusters, nodes, arm, seed)

    def _population_sizes(self, n: int, seed: int) -> tuple[IntArray, IntArray]:
        ones: IntArray = np.ones(whole_number(n, "n"), dtype=np.int64)
        return ones, ones

    def _large_trial(self, n: int, seed: int) -> SimulatedTrial:
        return replace(self, n_clusters=self._many_clusters(n // 2)).draw(None, seed)


register_scenario("one-arm-clusters", OneArmTrial, kind="cluster")
