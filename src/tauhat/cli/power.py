"""The command `tauhat power`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tauhat.cli.interrupts import raise_if_interrupted
from tauhat.cli.limits import check_address_space
from tauhat.cli.options import available_cores
from tauhat.cli.power_plans import (
    print_one_arm,
    print_quantities,
    print_times,
    print_told,
    print_wedge,
)
from tauhat.errors import TrialError

if TYPE_CHECKING:
    from tauhat.power import HtePower, SimulatedPower

# Option of each argument of `tauhat.power_hte`; the first five take lists.
OPTIONS: Mapping[str, str] = {
    "n_clusters": "--clusters",
    "n_persons": "--persons",
    "cluster_size": "--size",
    "icc": "--icc",
    "icc_x": "--icc-x",
    "delta": "--delta",
    "power": "--power",
    "sd_y": "--sd-y",
    "sd_x": "--sd-x",
    "prevalence": "--prevalence",
    "size_cv": "--size-cv",
    "share_treated": "--share-treated",
    "significance_level": "--significance-level",
    "risk_control": "--risk-control",
    "risk_treated": "--risk-treated",
    "drop_out": "--drop-out",
    "n_others": "--covariates",
}
# Those of `tauhat.power_rmst` besides.
OPTIONS_OF_TIMES: Mapping[str, str] = {
    "horizon": "--horizon",
    "survival_control": "--survival-control",
    "survival_treated": "--survival-treated",
    "shape": "--shape",
    "accrual": "--accrual",
    "follow_up": "--follow-up",
    "frailty_sd": "--frailty-sd",
}
# Those of `tauhat.power.power_stepped_wedge` besides.
OPTIONS_OF_WEDGES: Mapping[str, str] = {
    "n_periods": "--periods",
    "cluster_period_size": "--size",
    "effect": "--effect",
    "autocorrelation": "--autocorrelation",
}
# That of `tauhat.power.power_several_arms` besides.
OPTIONS_OF_ARMS: Mapping[str, str] = {"n_arms": "--arms"}
# Those of `tauhat.power.power_one_arm` besides.
OPTIONS_OF_ONE_ARM: Mapping[str, str] = {
    "n_alone": "--alone",
    "sd_alone": "--sd-alone",
    "share_clustered": "--share-treated",
}

Numbers = str | None


def _numbers(help_text: str) -> Any:
    return typer.Option(metavar="NUMBER[,NUMBER]", help=help_text)


def power(
    clusters: Annotated[Numbers, _numbers("Clusters of all arms.")] = None,
    size: Annotated[Numbers, _numbers("Persons in a cluster, on average.")] = None,
    icc: Annotated[
        Numbers, _numbers("Intracluster correlation of the outcome, given the modifier.")
    ] = None,
    icc_x: Annotated[
        Numbers, _numbers("Intracluster correlation of the modifier; 1 if it is the cluster's.")
    ] = None,
    persons: Annotated[
        Numbers, _numbers("Persons of all arms, when persons are randomized.")
    ] = None,
    delta: Annotated[
        Numbers, _numbers("Change of the effect with one unit of the modifier.")
    ] = None,
    power: Annotated[
        Numbers, _numbers("Wanted power; leave out one of it, --delta and --clusters (--persons).")
    ] = None,
    sd_y: Annotated[float, typer.Option(help="SD of the outcome, given the modifier.")] = 1.0,
    sd_x: Annotated[
        float | None, typer.Option(help="SD of a continuous modifier (default: 1).")
    ] = None,
    prevalence: Annotated[
        float | None, typer.Option(help="Share of persons with a binary modifier.")
    ] = None,
    size_cv: Annotated[float, typer.Option(help="CV of the cluster sizes.")] = 0.0,
    share_treated: Annotated[float, typer.Option(help="Share of units treated.")] = 0.5,
    significance_level: Annotated[float, typer.Option(help="Two-sided level.")] = 0.05,
    risk_control: Annotated[
        float | None,
        typer.Option(help="Risk of a binary outcome in the control arm, instead of --sd-y."),
    ] = None,
    risk_treated: Annotated[
        float | None, typer.Option(help="Risk in the treated arm; effects are risk differences.")
    ] = None,
    drop_out: Annotated[
        float, typer.Option(help="Share of persons who will have no outcome, lost by chance.")
    ] = 0.0,
    horizon: Annotated[
        float | None,
        typer.Option(help="Of times to an event: time up to which means are restricted."),
    ] = None,
    survival_control: Annotated[
        Numbers,
        _numbers("Share without an event at the horizon; two: without the modifier, and with it."),
    ] = None,
    survival_treated: Annotated[Numbers, _numbers("The same in the treated arm.")] = None,
    shape: Annotated[float, typer.Option(help="Shape of the Weibull times.")] = 1.0,
    accrual: Annotated[float, typer.Option(help="Time over which persons come.")] = 0.0,
    follow_up: Annotated[
        float | None, typer.Option(help="From the last who came to the end (default: horizon).")
    ] = None,
    frailty_sd: Annotated[float, typer.Option(help="SD of the log hazard between clusters.")] = 0.0,
    periods: Annotated[
        int | None,
        typer.Option(
            help="Of a stepped wedge: number of periods; --size is of a cluster in one of them."
        ),
    ] = None,
    effect: Annotated[
        float | None,
        typer.Option(help="Average effect to show, of a stepped wedge or with --one-arm."),
    ] = None,
    autocorrelation: Annotated[
        float,
        typer.Option(
            help="Correlation of a cluster's persons in different periods, as a share of --icc."
        ),
    ] = 1.0,
    arms: Annotated[
        int, typer.Option(help="Arms of one size, the control among them; more share the level.")
    ] = 2,
    one_arm: Annotated[
        bool,
        typer.Option(
            "--one-arm",
            help="Persons are randomized, and those of one arm treated in --clusters of --size.",
        ),
    ] = False,
    alone: Annotated[
        int | None,
        typer.Option(
            help="With --one-arm: persons of the other arm (default: as --share-treated of the "
            "persons are in clusters)."
        ),
    ] = None,
    sd_alone: Annotated[
        float | None,
        typer.Option(help="With --one-arm: SD of the outcome in the other arm (default: --sd-y)."),
    ] = None,
    simulate: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Simulate N trials: the same test, and tauhat's test of all covariates.",
        ),
    ] = None,
    covariates: Annotated[
        int,
        typer.Option(
            help="Further covariates, without effect, that the primary test looks through."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 1,
    jobs: Annotated[
        int | None, typer.Option(help="Simulated trials at once (default: all cores).")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one row per plan.")] = False,
) -> None:
    """Power, sample size or detectable interaction for an effect that differs between persons."""
    check_address_space()
    given = {
        "n_clusters": _parse(clusters, "--clusters", whole=True),
        "n_persons": _parse(persons, "--persons", whole=True),
        "cluster_size": _parse(size, "--size"),
        "icc": _parse(icc, "--icc"),
        "icc_x": _parse(icc_x, "--icc-x"),
        "delta": _parse(delta, "--delta"),
        "power": _parse(power, "--power"),
        "sd_y": [sd_y],
        "sd_x": [sd_x],
        "prevalence": [prevalence],
        "size_cv": [size_cv],
        "share_treated": [share_treated],
        "significance_level": [significance_level],
        "risk_control": [risk_control],
        "risk_treated": [risk_treated],
        "drop_out": [drop_out],
        "n_others": [covariates],
    }
    for option, value, least in (
        ("--simulate", simulate, 1), ("--covariates", covariates, 0), ("--seed", seed, 0),
        ("--jobs", jobs, 1),
    ):  # fmt: skip
        if value is not None and value < least:
            raise TrialError(f"{option} must be at least {least}, got {value}")
    plan = {name: values[0] for name, values in given.items()}
    several = [OPTIONS[name] for name, values in given.items() if len(values) > 1]
    if one_arm:
        for option, other in (
            ("--periods", periods), ("--horizon", horizon), ("--simulate", simulate),
            ("--arms", None if arms == 2 else arms),
        ):  # fmt: skip
            if other is not None:
                raise TrialError(f"{option} does not go with --one-arm")
        if several:
            raise TrialError(f"--one-arm is for one plan, but {several[0]} has several values")
        of_one_arm = {"effect": effect, "n_alone": alone, "sd_alone": sd_alone}
        with _told_in_options():
            print_one_arm(plan, of_one_arm, csv=csv)
        return
    for option, of_one in (("--alone", alone), ("--sd-alone", sd_alone)):
        if of_one is not None:
            raise TrialError(f"{option} needs --one-arm")
    if arms != 2:
        for option, other in (
            ("--periods", periods), ("--horizon", horizon), ("--simulate", simulate),
        ):  # fmt: skip
            if other is not None:
                raise TrialError(f"{option} does not go with --arms")
        if several:
            raise TrialError(f"--arms is for one plan, but {several[0]} has several values")
        with _told_in_options():
            from tauhat.power import power_several_arms

            print_told(power_several_arms(arms, **plan), csv=csv)
        return
    if periods is not None:
        if horizon is not None or simulate is not None:
            raise TrialError(
                f"{'--simulate' if horizon is None else '--horizon'} does not go with --periods"
            )
        of_wedge = {"n_periods": periods, "effect": effect, "autocorrelation": autocorrelation}
        with _told_in_options():
            print_wedge(plan, of_wedge, csv=csv)
        return
    if effect is not None or autocorrelation != 1.0:
        option = "--autocorrelation" if effect is None else "--effect"
        or_one_arm = "" if effect is None else " (or, with --one-arm, of groups in one arm)"
        raise TrialError(f"{option} needs --periods: it is of a stepped wedge{or_one_arm}")
    if horizon is None:
        for option, text in (
            ("--survival-control", survival_control), ("--survival-treated", survival_treated),
        ):  # fmt: skip
            if text is not None:
                raise TrialError(f"{option} needs --horizon: a time up to which means are taken")
    else:
        if simulate is not None:
            raise TrialError("--simulate does not go with --horizon")
        of_times = {
            "horizon": horizon,
            "survival_control": _parse(survival_control, "--survival-control"),
            "survival_treated": _parse(survival_treated, "--survival-treated"),
            "shape": shape,
            "accrual": accrual,
            "follow_up": follow_up,
            "frailty_sd": frailty_sd,
        }
        with _told_in_options():
            print_times(plan, of_times, csv=csv)
        return
    if several and simulate is not None:
        raise TrialError(f"--simulate is for one plan, but {several[0]} has several values")
    with _told_in_options():
        if several:
            _print_grid(given, csv=csv)
        else:
            _print_plan(
                plan,
                n_trials=simulate,
                seed=seed,
                jobs=available_cores() if jobs is None else jobs,
                csv=csv,
            )


@contextmanager
def _told_in_options() -> Iterator[None]:
    """Messages about arguments as those about the command's options."""
    try:
        yield
    except TrialError as error:
        raise TrialError(in_options(str(error))) from error


def in_options(message: str) -> str:
    """A message about arguments as one about the command's options.

    Examples
    --------
    >>> in_options("icc_x must be in [0, 1], got 2")
    '--icc-x must be in [0, 1], got 2'
    """
    options = {
        **OPTIONS,
        **OPTIONS_OF_TIMES,
        **OPTIONS_OF_WEDGES,
        **OPTIONS_OF_ARMS,
        **OPTIONS_OF_ONE_ARM,
    }
    names = "|".join(sorted(options, key=len, reverse=True))
    # A plain word such as power is an argument where a message begins or lists arguments.
    pattern = (
        rf"\b(?:{names})\b(?= must| and| leave| out$|,| =| needs| belongs| exclude|: with|: the"
        r"| is missing|$)"
    )
    return re.sub(pattern, lambda found: options[found[0]], message)


def _parse(text: str | None, option: str, *, whole: bool = False) -> list[Any]:
    """Numbers of a comma list; [None] when the option was not given."""
    if text is None:
        return [None]
    try:
        return [int(part) if whole else float(part) for part in text.split(",")]
    except ValueError as error:
        wanted = "whole numbers" if whole else "numbers"
        raise TrialError(
            f"{option} takes {wanted} with commas between them, got {text!r}"
        ) from error


def _print_grid(given: Mapping[str, list[Any]], *, csv: bool) -> None:
    import pandas as pd

    from tauhat.power import power_table
    from tauhat.power.planning import power_plans
    from tauhat.runtime.files import csv_text

    if csv:
        plans = pd.DataFrame([plan.row for _, plan in power_plans(**given)])
        print(csv_text(plans), end="")
    else:
        print(power_table(**given).round(4).to_string(index=False))


def _print_plan(
    arguments: Mapping[str, Any],
    *,
    n_trials: int | None,
    seed: int,
    jobs: int,
    csv: bool,
) -> None:
    import pandas as pd

    from tauhat.power import power_hte
    from tauhat.runtime.files import csv_text

    unit = "n_persons" if arguments["cluster_size"] is None else "n_clusters"
    three = [arguments[name] for name in (unit, "delta", "power")]
    # With all three the wanted power is compared with the plan's own.
    wanted = None if None in three else arguments["power"]
    plan = power_hte(**arguments if wanted is None else {**arguments, "power": None})
    needed = [] if wanted is None else _needed(arguments, unit)
    simulated = [] if n_trials is None else _simulated(plan, n_trials, seed=seed, jobs=jobs)
    if csv:
        row = plan.row | {name.replace(" ", "_"): value for name, value in needed}
        for one in simulated:
            test = one.test.replace(" ", "_")
            row |= {f"{test}_{part}": getattr(one, part) for part in ("power", "lower", "upper")}
        print(csv_text(pd.DataFrame([row])), end="")
        return
    print_quantities([*plan.table.itertuples(index=False, name=None), *needed])
    for text in [plan.text, *(one.text for one in simulated)]:
        print(f"\n{text}")


def _needed(arguments: Mapping[str, Any], unit: str) -> list[tuple[str, float]]:
    """What the wanted power would take: more units, or a larger interaction."""
    from tauhat.power import power_hte

    wanted = f"for power {arguments['power']:g}"
    larger, stronger = (power_hte(**{**arguments, name: None}) for name in (unit, "delta"))
    what = unit.removeprefix("n_")
    return [
        (f"{what} {wanted}", float(getattr(larger, unit))),
        (f"interaction {wanted}", stronger.delta),
    ]


def _simulated(plan: HtePower, n_trials: int, *, seed: int, jobs: int) -> list[SimulatedPower]:
    """Simulated power of the plan's own test and of the test of all covariates."""
    from tauhat.power import interaction_test, power_by_simulation
    from tauhat.runtime.parallel import report_progress
    from tauhat.runtime.progress import progress_display

    results = []
    with progress_display(sys.stderr) as display:
        for step, test in (("interaction test", interaction_test), ("heterogeneity test", None)):

            def listen(done: int, total: int, step: str = step) -> None:
                raise_if_interrupted()
                display(f"simulating the {step}", done, total)

            with report_progress(listen):
                results.append(
                    power_by_simulation(
                        plan.scenario(plan.n_others),
                        n_trials=n_trials,
                        test=test,
                        significance_level=plan.significance_level,
                        random_state=seed,
                        n_jobs=jobs,
                    )
                )
    return results
