"""Messages advise only what is there, and what is so."""

import ast
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

import tauhat as th
from tauhat.cli.app import app
from tauhat.inference.average_effects import average_effects
from tauhat.inference.policy_value import policy_value

PACKAGE = Path(th.__file__).parent
NAME = re.compile(r"(?<![\w./-])(?:tauhat|th)\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
# Endings of files, not names of Python.
FILES = {"toml", "py", "mp4", "html"}


def texts():
    """Every text in the package's code, with its place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node.value


def options_of(command, found):
    """Names of all options of a command and the commands below it."""
    for parameter in command.params:
        found.update(name.lstrip("-") for name in [*parameter.opts, *parameter.secondary_opts])
    for below in getattr(command, "commands", {}).values():
        options_of(below, found)
    return found


def annotated(found):
    """Names that a class and those that it builds on are said to have."""
    return {
        name
        for one in getattr(found, "__mro__", ())
        for name in vars(one).get("__annotations__", {})
    }


def resolves(name):
    """Whether a dotted name below tauhat is there: a module, or an attribute of one."""
    parts = name.split(".")
    for depth in range(len(parts), -1, -1):
        try:
            found = import_module(".".join(["tauhat", *parts[:depth]]))
        except ModuleNotFoundError:
            continue
        for part in parts[depth:]:
            if not hasattr(found, part) and part not in annotated(found):
                return False
            found = getattr(found, part, None)
        return True
    return False


def test_every_name_of_tauhat_in_a_text_is_there():
    missing = {
        f"{place}: tauhat.{name}"
        for place, text in texts()
        for name in NAME.findall(text)
        if name.split(".")[-1] not in FILES and not resolves(name)
    }
    assert missing == set()


def test_every_option_in_a_text_is_one_of_the_command():
    # pip's --upgrade is no option of ours.
    known = options_of(typer.main.get_command(app), {"help", "upgrade"})
    missing = {
        f"{place}: --{option}"
        for place, text in texts()
        for option in FLAG.findall(text)
        if option not in known
    }
    assert missing == set()


def cluster_table(sizes, seed=0):
    rng = np.random.default_rng(seed)
    clinic = np.repeat(np.arange(len(sizes)), sizes)
    n = len(clinic)
    return pd.DataFrame(
        {"clinic": clinic, "arm": clinic % 2, "x": rng.normal(size=n), "y": rng.normal(size=n)}
    )


def test_every_command_in_a_text_is_there():
    commands = set(typer.main.get_command(app).commands)
    named = {name for _, text in texts() for name in re.findall(r"`tauhat ([a-z][a-z-]*)", text)}
    assert named
    assert named <= commands


ROLES = {"outcome": "y", "treatment": "arm", "cluster": "clinic"}


def test_a_path_is_read_as_the_message_says(tmp_path):
    path = tmp_path / "trial.csv"
    cluster_table([3] * 8).to_csv(path, index=False)
    with pytest.raises(th.TrialError, match=r"use tauhat\.read_table\(path\)"):
        th.Trial(str(path), **ROLES)
    assert th.Trial(th.read_table(path), **ROLES).n == 24


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        (("Drug", "Placebo"), "control='Placebo' ("),
        (("Intervention", "Usual care"), "control='Usual care' ("),
        (("control_group", "A"), "control='control_group' ("),
        (("Yes", "No"), "control='No' ("),
        (("Aspirin", "no treatment"), "control='no treatment' ("),
        (("sham surgery", "surgery"), "control='sham surgery' ("),
        (("A", "B"), "control='A' or control='B' ("),
        (("placebo", "usual care"), "control='placebo' or control='usual care' ("),
        (("non-standard", "uncontrolled"), "control='non-standard' or control='uncontrolled' ("),
        ((1, 2), "control=1 or control=2 ("),
    ],
)
def test_the_hint_names_the_label_that_says_control_or_both(labels, advice):
    table = cluster_table([3] * 8)
    table["arm"] = np.where(table.arm == 1, labels[0], labels[1])
    with pytest.raises(th.TrialError) as caught:
        th.Trial(table, **ROLES)
    assert advice in str(caught.value)


def wedge(n_clinics=6, periods=4, size=5, crossover=False):
    table = pd.DataFrame(
        [(c, t) for c in range(n_clinics) for t in range(periods) for _ in range(size)],
        columns=["clinic", "month"],
    )
    late = table.month > table.clinic % (periods - 1)
    table["arm"] = np.where(crossover & (table.clinic % 2 == 1), ~late, late).astype(int)
    rng = np.random.default_rng(1)
    table["age"], table["sex"] = rng.normal(size=len(table)), rng.integers(0, 2, len(table))
    return table.assign(y=rng.normal(size=len(table)))


@pytest.mark.parametrize("month", [int, str, lambda m: pd.Timestamp(2023, 1 + m, 1)])
def test_clusters_that_change_their_arm_over_time_are_recognised(month):
    table = wedge()
    table["month"] = table.month.map(month)
    with pytest.raises(th.DesignError, match=r"'month'.*stepped wedge.*as period") as caught:
        th.Trial(table, **ROLES, covariates=["age"])
    assert "block" not in str(caught.value)
    with pytest.raises(th.DesignError, match=r"'month' blocks change.*stepped wedge"):
        th.Trial(table, outcome="y", treatment="arm", block="clinic", covariates=["age"])
    with pytest.raises(th.DesignError, match=r"'month'.*crossover.*as period"):
        th.Trial(wedge(crossover=True), **ROLES)


def test_without_a_period_the_hint_is_right_for_both_designs():
    for table in (wedge().drop(columns="month"), persons_in_centres()):
        with pytest.raises(th.DesignError, match=r"give them as block .*stepped wedge"):
            th.Trial(table, **ROLES)
        arrays = (table[["age"]], table.y, table.arm, table.clinic)
        with pytest.raises(ValueError, match=r"give them as blocks .*stepped wedge"):
            th.estimator("LMM").fit(*arrays)


def persons_in_centres():
    rng = np.random.default_rng(2)
    table = wedge().drop(columns="month")
    return table.assign(arm=np.tile([0, 1], len(table) // 2), wave=rng.integers(0, 3, len(table)))


def test_persons_randomized_in_centres_and_pairs_are_no_change_over_time():
    assert th.Trial(persons_in_centres(), outcome="y", treatment="arm", block="clinic").n == 120
    pairs = persons_in_centres().assign(pair=np.repeat(np.arange(60), 2))
    # A copy of the arm, as text or as a dose, changes with it and is no time.
    copies = persons_in_centres().assign(dose=lambda d: 10 * d.arm, group=lambda d: d.arm.map(str))
    assert th.Trial(copies, outcome="y", treatment="arm", block="clinic", covariates=["age"]).n
    # In pairs of persons any covariate has one value before the other.
    pairs["wave"] = pairs.arm
    pairs.loc[::7, "wave"] = 2
    roles = {"outcome": "y", "treatment": "arm", "block": "pair"}
    assert th.Trial(pairs, **roles, covariates=["age"]).n == 120


def test_averages_of_clusters_of_equal_size_are_the_same_by_design():
    equal = average_effects(th.Trial(cluster_table([10] * 20), **ROLES))
    assert equal.difference.estimate == equal.difference.se == 0
    assert "equal size" in equal.text
    assert "e-1" not in equal.text
    unequal = average_effects(th.Trial(cluster_table([10, 11] * 10), **ROLES))
    assert unequal.difference.se > 0


def test_gains_that_are_zero_are_printed_as_zero():
    rng = np.random.default_rng(1)
    X, arm = rng.normal(size=(200, 2)), np.arange(200) % 2
    trial = (X, 5 * arm + rng.normal(size=200), arm)
    result = policy_value(trial, "LMM", n_splits=1)
    assert result.share_treated == 1
    assert "0 (95% confidence interval 0 to 0) over treating everyone" in result.text
