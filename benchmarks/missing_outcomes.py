"""Average effects where outcomes are missing: bias, error and coverage, beside other ways.

Trials of 24 clusters of about 27 persons (``--clusters 100 --persons 100``: as many as that). Who
lacks an outcome depends on the arm's product with a covariate and on the cluster; the prognosis is
bent; about 10, 25 and 40 % are lost. The outcome is continuous (its true effect is .4), an event
with a logistic model of the same predictor, or the time to an event (RMST up to 2, some censored;
true effects of a million persons). ``--designs`` has one share lost of a continuous outcome, with
clusters that lose evenly, a straight prognosis, or 648 persons.

What is made for those without an outcome stands beside complete cases, beside multiple
imputation (five draws by predictive mean matching of a mixed model with all products with the arm
and a random intercept of clusters, Rubin's rules) and beside the same trial with all outcomes.
``--tests`` is how often the primary test rejects, without (``--differs 0``) and with effects that
differ, where outcomes are made anew with other arms, made once, and of complete cases.
``--learners LMM X-GAMM-RF`` compares the error of the effects of everyone enrolled by learners of
complete cases with learners as a run fits them, which straight ones are without the curvature of
the prognosis, with learners of the outcomes made, as held-out effects have them, and of these
weighted by the probability that the outcome is seen, which is the inverse of what making them adds
to the variance; "none" has the same effect for all (of an event: the same odds ratio).
``--straight`` has a prognosis that bends nowhere, and ``--runs-only`` leaves out the outcomes made.
``--intervals`` says how many of these effects lie in their 95 % intervals (its Monte Carlo error)
and how wide these are.

Usage: python benchmarks/missing_outcomes.py --trials 200 [--outcome binary] [--designs] [--tests]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import tauhat as th
from tauhat.data import TrialData
from tauhat.endpoint import MissingOutcomes
from tauhat.inference import pooled
from tauhat.numerics.imputation import IncompleteCovariate, draw_completed
from tauhat.numerics.missing_outcomes import MadeOutcome
from tauhat.numerics.seeds import derive_seed
from tauhat.numerics.weights import relative_weights

EFFECT = 0.4
CLUSTERS, PERSONS = 24, 27
IMPUTATIONS = 5
WAYS = ("all outcomes", "complete cases", "multiple imputation", "made")
# Design, whether the prognosis is bent, whether clusters lose persons unevenly.
DESIGNS = [
    ("clusters", False, False),
    ("clusters", False, True),
    ("persons", True, False),
]


# What is added to the log odds of an outcome that is seen, by the share lost.
LOST = {"10": 1.6, "25": 0.4, "40": -0.5}
HORIZON = 2.0


def draw(
    randomized: str,
    bent: bool,
    uneven: bool,
    seed: int,
    *,
    differs: bool = True,
    outcome: str = "continuous",
    seen_more: float = 0.0,
    clusters: int = CLUSTERS,
    persons: int = PERSONS,
) -> pd.DataFrame:
    """A trial with all outcomes, and in the column ``seen`` the outcomes that are seen."""
    rng = np.random.default_rng(seed)
    in_clusters = randomized == "clusters"
    m = clusters if in_clusters else clusters * persons
    sizes = np.maximum(rng.poisson(persons, m), 6) if in_clusters else np.ones(m, dtype=int)
    unit = np.repeat(np.arange(m), sizes)
    arm = rng.permutation(np.arange(m) % 2)[unit]
    x = rng.normal(size=(len(unit), 3))
    v = rng.normal(size=m)[unit]
    level = rng.normal(size=m)[unit] * in_clusters
    prognosis = x[:, 0] + 0.5 * ((x[:, 1] ** 2 - 1) if bent else x[:, 1])
    mean = prognosis + arm * (EFFECT + differs * (0.4 * x[:, 0] + 0.2 * v)) + level / 3
    noise = rng.normal(size=len(unit))
    y = mean + noise
    event = np.ones(len(unit), dtype=int)
    if outcome == "binary":
        y = (rng.random(len(unit)) < 1 / (1 + np.exp(0.5 - mean))).astype(float)
    elif outcome == "times":
        own = np.exp(0.6 * mean) * rng.weibull(1.2, len(unit)) * 1.5
        censored = rng.exponential(7.0, len(unit))
        y, event = np.minimum(own, censored), (own <= censored).astype(int)
    odds = 1.2 + seen_more - arm * x[:, 0] + 0.5 * (1 - arm) * x[:, 1]
    if uneven:
        odds = odds - 0.3 + 0.75 * level + 0.7 * rng.normal(size=m)[unit]
    seen = rng.random(len(unit)) < 1 / (1 + np.exp(-odds))
    frame = pd.DataFrame(x, columns=["x1", "x2", "x3"])
    frame = frame.assign(v=v, arm=arm, unit=unit, y=y, seen=np.where(seen, y, np.nan))
    return frame.assign(event=event) if outcome == "times" else frame


def true_effect(outcome: str, bent: bool) -> float:
    """Average effect over about a million persons in clusters of their own."""
    if outcome == "continuous":
        return EFFECT
    frame = draw("clusters", bent, False, 1, outcome=outcome, clusters=40_000)
    y = np.minimum(frame.y, HORIZON) if outcome == "times" else frame.y
    if outcome == "times":
        # Without censoring: the same times, all of which end with the event.
        fit = [frame[frame.arm == a] for a in (0, 1)]
        return float(np.diff([_restricted_mean(one.y, one.event) for one in fit])[0])
    return float(y[frame.arm == 1].mean() - y[frame.arm == 0].mean())


def _restricted_mean(time: pd.Series, event: pd.Series) -> float:
    """Area under the Kaplan-Meier curve up to the horizon."""
    order = np.argsort(time.to_numpy())
    times, events = time.to_numpy()[order], event.to_numpy()[order]
    survival = np.cumprod(1 - events / np.arange(len(times), 0, -1))
    inside = times <= HORIZON
    edges = np.r_[0.0, times[inside], HORIZON]
    return float((np.r_[1.0, survival[inside]] * np.diff(edges)).sum())


def imputed(data: TrialData, lost: np.ndarray, seed: int) -> list[TrialData]:
    """The trial with the outcomes that are lost drawn several times from those that are seen."""
    of_times = data.endpoint.follow_up is not None
    y = np.log(data.measured[:, 1]) if of_times else data.measured[:, 0]
    half = (data.treatment - 0.5)[:, None]
    columns = np.column_stack([data.X, half, half * data.X, np.where(lost, 0.0, y)])
    every = np.arange(columns.shape[1])
    one = IncompleteCovariate(every[-1:], lost, False)
    seen = np.flatnonzero(~lost)
    by_value = seen[np.argsort(y[seen])]
    ratios: dict[int, np.ndarray] = {}
    found = []
    for k in range(IMPUTATIONS):
        rng = np.random.default_rng(derive_seed(seed, "imputation", k))
        drawn = draw_completed(columns, every, [one], data.clusters, rng, ratios)[:, -1]
        # Of times the donor gives its time and what happened then.
        donor = by_value[np.searchsorted(y[by_value], drawn[lost])]
        measured = data.measured.copy()
        measured[lost] = data.measured[donor]
        # Averages make of times what they need.
        found.append(replace(data, measured=measured))
    return found


def averages(
    frame: pd.DataFrame,
    randomized: str,
    outcome: str = "continuous",
    seed: int = 0,
    impute: bool = True,
) -> dict[tuple[str, str], th.Estimate]:
    """Averages by all outcomes, by complete cases, by imputation and by outcomes made."""
    roles = {"treatment": "arm", "covariates": ["x1", "x2", "x3", "v"]}
    if outcome == "times":
        roles |= {"event": "event", "horizon": HORIZON}
    roles |= {"cluster": "unit"} if randomized == "clusters" else {}
    complete = th.Trial(frame, outcome="y", **roles)
    made = th.average_effects(th.Trial(frame, outcome="seen", **roles))
    lost = frame["seen"].isna().to_numpy()[complete.data.rows]
    filled = imputed(complete.data, lost, seed) if impute else []
    drawn = [th.average_effects(data) for data in filled]
    everybody = th.average_effects(complete)
    found = {}
    for name in ("individual", "cluster"):
        if getattr(made, name) is None:
            continue
        found["all outcomes", name] = getattr(everybody, name)
        found["complete cases", name] = getattr(made.complete_cases, name)
        if drawn:
            found["multiple imputation", name] = pooled([getattr(one, name) for one in drawn])
        found["made", name] = getattr(made, name)
    return found


def one_design(
    randomized: str,
    bent: bool,
    uneven: bool,
    trials: int,
    outcome: str = "continuous",
    seen_more: float = 0.0,
    clusters: int = CLUSTERS,
    persons: int = PERSONS,
    first: int = 0,
    impute: bool = True,
) -> None:
    """Print rows of a table of errors and coverage over simulated trials."""
    key = derive_seed(20261128, "missing", randomized, int(bent), int(uneven))
    truth = true_effect(outcome, bent)
    found, lost = [], []
    for k in range(first, first + trials):
        seed = derive_seed(key, k)
        given = {"outcome": outcome, "clusters": clusters, "persons": persons}
        frame = draw(randomized, bent, uneven, seed, seen_more=seen_more, **given)
        lost.append(frame["seen"].isna().mean())
        found.append(averages(frame, randomized, outcome, seed, impute))
    who = f"{clusters} x {persons}" if randomized == "clusters" else f"{clusters * persons} persons"
    shape = ("bent" if bent else "straight") + (", uneven" if uneven else "")
    for name in dict.fromkeys(name for _, name in found[0]):
        for way in WAYS:
            if (way, name) not in found[0]:
                continue
            own = [one[way, name] for one in found]
            estimates = np.array([one.estimate for one in own])
            apart = estimates - np.array([one["all outcomes", name].estimate for one in found])
            error = apart.std(ddof=1) / np.sqrt(trials)
            covered = np.mean([one.lower <= truth <= one.upper for one in own])
            ratio = np.mean([one.se for one in own]) / estimates.std(ddof=1)
            width = np.mean([one.upper - one.lower for one in own])
            bias = "" if way == "all outcomes" else f"{apart.mean():+.3f} ({error:.3f})"
            print(
                f"| {who}, {shape} | {outcome} | {100 * np.mean(lost):.0f}% | {name} | {way} | "
                f"{bias} | {covered:.3f} | {ratio:.2f} | {width:.2f} |",
                flush=True,
            )


def made_once(missing: MissingOutcomes, made: MadeOutcome) -> MissingOutcomes:
    """Missing outcomes in a test that knows nothing of outcomes made anew with other arms."""
    return replace(missing, probability=made.probability)


def tests(trials: int, first: int, differs: float, designs: list[str]) -> None:
    """Print how often the primary test rejects, by what it makes of missing outcomes.

    With a prognosis that is twisted, the product of two covariates goes with the outcome and is in
    no model of it.
    """
    print(
        "| trial | prognosis | lost | outcomes | rejects at .05 | at .10 | mean p-value |\n"
        "|---|---|--:|---|--:|--:|--:|"
    )
    cells = [
        ("clusters", False, 0.0),
        ("clusters", True, 0.0),
        ("clusters", True, 1.5),
        ("persons", False, 0.0),
        ("persons", False, 1.5),
    ]
    for randomized, uneven, twisted in (cell for cell in cells if cell[0] in designs):
        key = derive_seed(20261129, "missing, size", randomized, int(uneven))
        roles = {"treatment": "arm", "covariates": ["x1", "x2", "x3"]}
        roles |= {"cluster": "unit"} if randomized == "clusters" else {}
        ways = {
            "complete cases": {"outcome": "seen", "missing": "complete-cases"},
            "made once": {"outcome": "seen"},
            "made anew": {"outcome": "seen"},
        }
        found: dict[str, list[float]] = {way: [] for way in ways}
        lost = []
        for k in range(first, first + trials):
            frame = draw(
                randomized, True, uneven, derive_seed(key, k), differs=differs,
                seen_more=0.4 * uneven,
            )  # fmt: skip
            frame["y"] += twisted * frame.x1 * frame.x2
            frame["seen"] = frame.y.where(frame.seen.notna())
            lost.append(frame.seen.isna().mean())
            for way, given in ways.items():
                trial = th.Trial(frame, **roles, **given)
                after = made_once if way == "made once" else MissingOutcomes.after
                with patch.object(MissingOutcomes, "after", after):
                    test = th.test_heterogeneity(trial, random_state=k, n_permutations=199)
                found[way].append(test.p_value)
        who = f"{CLUSTERS} x {PERSONS}" if randomized == "clusters" else "648 persons"
        shape = f"{'twisted' if twisted else 'bent'}{', uneven' if uneven else ''}"
        for way, values in found.items():
            p = np.array(values)
            rejects = " | ".join(f"{(p <= level).mean():.3f}" for level in (0.05, 0.1))
            cell = f"| {who} | {shape} | {100 * np.mean(lost):.0f}% | {way} |"
            print(f"{cell} {rejects} | {p.mean():.3f} |", flush=True)


def true_effects(frame: pd.DataFrame, differs: bool, outcome: str, spread: float) -> np.ndarray:
    """Effects of persons in a new cluster, whose intercept has this standard deviation."""
    effect = EFFECT + differs * (0.4 * frame.x1 + 0.2 * frame.v).to_numpy()
    if outcome == "continuous":
        return effect
    node, share = np.polynomial.hermite_e.hermegauss(15)
    prognosis = (frame.x1 + 0.5 * (frame.x2**2 - 1)).to_numpy()
    risks = [
        1 / (1 + np.exp(0.5 - (prognosis + arm * effect)[:, None] - spread * node))
        for arm in (0, 1)
    ]
    return (risks[1] - risks[0]) @ share / share.sum()


def trials_of_learners(frame: pd.DataFrame, randomized: str) -> tuple[th.Trial, th.Trial]:
    """The trial that learners are fitted to: complete cases, and as usual."""
    roles = {"outcome": "seen", "treatment": "arm", "covariates": ["x1", "x2", "x3", "v"]}
    roles |= {"cluster": "unit"} if randomized == "clusters" else {}
    return th.Trial(frame, missing="complete-cases", **roles), th.Trial(frame, **roles)


def errors_of_learners(
    names: list[str],
    frame: pd.DataFrame,
    randomized: str,
    differs: bool,
    outcome: str,
    runs_only: bool,
) -> np.ndarray:
    """Errors of the effects of everyone enrolled, shape (learners, ways)."""
    complete, trial = trials_of_learners(frame, randomized)
    enrolled = trial.enrolled_data
    spread = 1 / 3 if randomized == "clusters" else 0.0
    truth = true_effects(frame.iloc[enrolled.rows], differs, outcome, spread)
    weighed = replace(enrolled, sample_weight=relative_weights(enrolled.missing.probability))
    ways = [complete.data, trial.data, *(() if runs_only else (enrolled, weighed))]
    found = [
        [th.estimator(name, random_state=1).fit_data(data).effect(enrolled.X) for data in ways]
        for name in names
    ]
    return np.sqrt(((np.array(found) - truth) ** 2).mean(axis=2))


def intervals_of_learners(
    names: list[str],
    trials: int,
    lost: list[str],
    outcome: str,
    designs: list[str],
    bent: bool,
) -> None:
    """Print how often intervals of persons' effects cover, by what learners are fitted to."""
    print(
        "| randomized | effects differ | lost | learner | complete cases: covered, width "
        "| as a run fits it |\n|---|---|--:|---|---|---|"
    )
    for randomized in designs:
        spread = 1 / 3 if randomized == "clusters" else 0.0
        for differs in (True, False):
            for share in lost:
                key = derive_seed(20261201, "learners", randomized, int(differs), share)
                given = {"differs": differs, "seen_more": LOST[share], "outcome": outcome}
                found = np.empty((trials, len(names), 2, 2))
                for k in range(trials):
                    frame = draw(
                        randomized, bent, randomized == "clusters", derive_seed(key, k), **given
                    )
                    both = trials_of_learners(frame, randomized)
                    enrolled = both[1].enrolled_data
                    truth = true_effects(frame.iloc[enrolled.rows], differs, outcome, spread)
                    for j, name in enumerate(names):
                        for way, trial in enumerate(both):
                            fit = trial.fit(name, random_state=1)
                            lower, upper = fit.effect_interval(enrolled.X)
                            covered = ((lower <= truth) & (truth <= upper)).mean()
                            found[k, j, way] = covered, (upper - lower).mean()
                mean, sd = found.mean(axis=0), found[..., 0].std(axis=0, ddof=1)
                for j, name in enumerate(names):
                    cells = (
                        f"{mean[j, way, 0]:.3f} ({sd[j, way] / np.sqrt(trials):.3f}), "
                        f"{mean[j, way, 1]:.2f}"
                        for way in (0, 1)
                    )
                    cell = f"| {randomized} | {'yes' if differs else 'none'} | {share}% | {name} |"
                    print(cell, " | ".join(cells), "|", flush=True)


def learners(
    names: list[str],
    trials: int,
    lost: list[str],
    outcome: str,
    designs: list[str],
    bent: bool,
    runs_only: bool,
) -> None:
    """Print a table of the errors of learners, paired by trial."""
    made = "" if runs_only else "| outcomes made | the same, weighted "
    print(
        "| randomized | effects differ | lost | learner | error, complete cases "
        f"| as a run fits it: ratio (its SE) {made}|\n|---|---|--:|---|--:|--:|"
        + ("" if runs_only else "--:|--:|")
    )
    pooled_errors: dict[tuple[str, bool], list[np.ndarray]] = {}
    for randomized in designs:
        for differs in (True, False):
            for share in lost:
                key = derive_seed(20261201, "learners", randomized, int(differs), share)
                given = {"differs": differs, "seen_more": LOST[share], "outcome": outcome}
                uneven = randomized == "clusters"
                frames = [
                    draw(randomized, bent, uneven, derive_seed(key, k), **given)
                    for k in range(trials)
                ]
                errors = np.array(
                    [
                        errors_of_learners(names, one, randomized, differs, outcome, runs_only)
                        for one in frames
                    ]
                )
                cell = f"| {randomized} | {'yes' if differs else 'none'} | {share}% |"
                for name, error in zip(names, np.moveaxis(errors, 1, 0), strict=True):
                    pooled_errors.setdefault((name, differs), []).append(error)
                    print(f"{cell} {name} | {compared(error)} |", flush=True)
    for (name, differs), errors in pooled_errors.items():
        cell = f"| all | {'yes' if differs else 'none'} | all |"
        print(f"{cell} {name} | {compared(np.concatenate(errors))} |", flush=True)


def compared(error: np.ndarray) -> str:
    """Cells of a table: mean errors by way, shape (trials, ways), and ratios of them to the first.

    Of means: where effects hardly differ, single errors are near zero.
    """
    n, mean = len(error), error.mean(axis=0)
    leave = (error.sum(axis=0) - error) / (n - 1)
    each = leave[:, 1:] / leave[:, :1]
    se = np.sqrt((n - 1) ** 2 / n * each.var(axis=0, ddof=1))
    ratios = (f"{r:.3f} ({e:.3f})" for r, e in zip(mean[1:] / mean[0], se, strict=True))
    return f"{mean[0]:.3f} | {' | '.join(ratios)}"


def main() -> None:
    """Print a row for every design, average and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=150)
    parser.add_argument("--tests", action="store_true", help="rejections by the primary test")
    parser.add_argument("--differs", type=float, default=0.0, help="of --tests: 1 for .4 x1 + .2 v")
    parser.add_argument(
        "--outcome", choices=("continuous", "binary", "times"), default="continuous"
    )
    parser.add_argument("--learners", nargs="+", help="errors of learners by name")
    parser.add_argument("--intervals", action="store_true", help="of --learners, not errors")
    parser.add_argument("--straight", action="store_true", help="a straight prognosis for them")
    parser.add_argument("--runs-only", action="store_true", help="no outcomes made for them")
    parser.add_argument("--randomized", nargs="+", default=["clusters", "persons"])
    parser.add_argument("--designs", action="store_true", help="other designs, one share lost")
    parser.add_argument("--lost", nargs="+", choices=LOST, default=list(LOST), help="about, %%")
    parser.add_argument("--clusters", type=int, default=CLUSTERS)
    parser.add_argument("--persons", type=int, default=PERSONS)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--no-imputation", action="store_true", help="a tenth of the time")
    options = parser.parse_args()
    with threadpool_limits(limits=1):
        if options.learners:
            given = (options.learners, options.trials, options.lost, options.outcome)
            given += (options.randomized, not options.straight)
            if options.intervals:
                intervals_of_learners(*given)
            else:
                learners(*given, options.runs_only)
            return
        if options.tests:
            tests(options.trials, options.first, options.differs, options.randomized)
            return
        print(
            "| trial, prognosis | outcome | lost | average | outcomes | bias | coverage | SE / SD "
            "| width |\n|---|---|--:|---|---|--:|--:|--:|--:|"
        )
        if options.designs:
            for design in DESIGNS:
                one_design(*design, options.trials, impute=not options.no_imputation)
            return
        given = (options.clusters, options.persons, options.first, not options.no_imputation)
        for lost in options.lost:
            one_design("clusters", True, True, options.trials, options.outcome, LOST[lost], *given)


if __name__ == "__main__":
    main()
