"""The Bayesian ridge mixed model of a trial, the reference posterior of all intervals."""

from __future__ import annotations

from typing import Any

from tauhat.data import TrialData
from tauhat.numerics.probit_ridge import sample_probit_posterior
from tauhat.numerics.ridge_posterior import RidgePosterior, sample_ridge_posterior


def ridge_posterior(data: TrialData, seed: int, **chains: Any) -> RidgePosterior:
    """Sample the model of a trial as its learners see it.

    Parameters
    ----------
    data
        The trial. Behind events the model is one of normal variables
        (`tauhat.numerics.probit_ridge.sample_probit_posterior`), and effects are differences
        of risks; otherwise it is `tauhat.numerics.ridge_posterior.sample_ridge_posterior`.
    seed
        Seed.
    **chains
        Numbers and lengths of the chains, and ``on_done``, as these take them.
    """
    intercepts = data.design.intercepts()
    latent = data.latent(with_blocks=True)
    if latent is not None:
        return sample_probit_posterior(
            data.X,
            latent,
            data.treatment,
            intercepts.groups,
            seed,
            intercepts.nesting,
            **chains,
        )
    return sample_ridge_posterior(
        data.X,
        data.working_with_blocks,
        data.treatment,
        intercepts.groups,
        data.sample_weight,
        seed,
        intercepts.nesting,
        **chains,
    )
