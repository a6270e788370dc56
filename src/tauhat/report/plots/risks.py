"""Effects on an event by the risk of it without treatment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tauhat.report.plots.style import BLUE, MUTED, Plot, new_axes, styled, zero_line


@styled
def effect_by_risk_plot(groups: Sequence[Mapping[str, float]]) -> Plot:
    """Mean risk differences of groups of persons, beside those of one odds ratio for everyone.

    Parameters
    ----------
    groups
        ``risk``, ``effect`` and ``one_odds_ratio`` of each, smallest risk first.

    Examples
    --------
    >>> groups = [
    ...     {"risk": 0.1, "effect": -0.02, "one_odds_ratio": -0.03},
    ...     {"risk": 0.4, "effect": -0.1, "one_odds_ratio": -0.09},
    ... ]
    >>> print(effect_by_risk_plot(groups).text)
    Mean risk difference per 100 by risk without treatment, -2.0 at 10 to -10.0 at 40; \
with one odds ratio for everyone -3.0 to -9.0.
    """
    figure, axes = new_axes(2.75)
    data = 100 * pd.DataFrame(groups)[["risk", "effect", "one_odds_ratio"]]
    risk, effect, constant = (data[name].to_numpy(dtype=np.float64) for name in data)
    zero_line(axes, vertical=False)
    axes.plot(risk, constant, "--", color=MUTED, label="one odds ratio for everyone")
    axes.plot(risk, effect, "o", color=BLUE, markersize=5.5, label="as estimated")
    axes.set_xlim(0, max(1.08 * float(risk.max()), 1.0))
    axes.set_xlabel("Risk without treatment, per 100")
    axes.set_ylabel("Risk difference, per 100")
    axes.legend(frameon=False, loc="best")
    text = (
        f"Mean risk difference per 100 by risk without treatment, {effect[0]:.1f} at "
        f"{risk[0]:.0f} to {effect[-1]:.1f} at {risk[-1]:.0f}; with one odds ratio for everyone "
        f"{constant[0]:.1f} to {constant[-1]:.1f}."
    )
    return Plot(figure, data, text)
