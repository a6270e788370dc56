"""Blocks and those of one arm only, in the design check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from tauhat.trial.checks.finding import Finding, Status
from tauhat.trial.incomplete_blocks import named_blocks
from tauhat.wording import counted

if TYPE_CHECKING:
    from tauhat.trial.trial_table import TrialTable

# Share of the persons in blocks that lack an arm from which a reader must know, as with missing
# outcomes, and from which the column is hardly the one within whose values units were randomized,
# or what is left is another trial.
_SOME_LEFT_OUT = 0.2
_MANY_LEFT_OUT = 0.25


def block_findings(trial: TrialTable) -> Iterator[Finding]:
    """Give the blocks, and those that hold one arm only."""
    if trial.blocks is None:
        return
    count, lacking = len(pd.unique(trial.blocks)), trial.incomplete_blocks
    share = trial.n_without_counterfactual / trial.n
    status: Status = "note" if len(lacking) or count == 1 else "ok"
    code = "" if status == "ok" else "one-arm-blocks"
    sentence = "All persons are in one block, which is as good as none." if count == 1 else ""
    if len(lacking):
        clusters = lacking["units"].sum() if trial.randomization.holds_persons else 0
        units = f" in {counted(clusters, 'cluster')}" if clusters else ""
        sentence = (
            f"{len(lacking)} of {count} blocks {'holds' if len(lacking) == 1 else 'hold'} persons "
            f"of one arm only ({trial.roles['block']}: {named_blocks(lacking)}). Without the "
            f"other arm there is no comparison, so {trial.n_without_counterfactual} of "
            f"{trial.n} persons{units} ({share:.1%}) are left out of fits, averages and tests; "
            "their effects are still predicted."
        )
        sizes = trial.randomization.block_sizes
        if (sizes[(sizes > 0).all(axis=1)] == 1).all() and (lacking["units"] == 1).all():
            lost = counted(len(lacking), "pair has", "pairs have")
            sentence += (
                f" These are 1:1 pairs, of which {lost} lost a partner. Without block= those left "
                "alone would count too, at the price of what pairing gains."
            )
    if share > _SOME_LEFT_OUT:
        status = "warning"
    if share > _MANY_LEFT_OUT:
        status = "error"
        sentence += (
            f" These are more than {_MANY_LEFT_OUT:.0%}: check that block= names the strata "
            "within which units were randomized (whole blocks that were randomized are clusters). "
            "If so, take these blocks out of the table, which says that the analysis is about the "
            "others."
        )
    yield Finding("blocks", f"{count} ({trial.roles['block']})", status, sentence, code)
