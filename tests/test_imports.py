"""What is imported before it is needed: nothing heavy for --help, no engine for the ensembles."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = ("numpy", "pandas", "scipy", "sklearn", "matplotlib", "joblib", "pyarrow")
ENGINES = ("stochtree", "lightgbm", "gpboost", "econml", "sklearn.ensemble", "sklearn.linear_model")


def run(code: str, **environment: str) -> object:
    """What ``code`` leaves in ``found``, run by a fresh interpreter."""
    command = [sys.executable, "-c", f"{code}\nimport json\nprint('found', json.dumps(found))"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rpartition("found ")[2])


def test_help_imports_nothing_heavy():
    code = f"""
import sys
from tauhat.cli import main
for words in (["--help"], ["run", "--help"], ["study", "--help"], ["power", "--help"]):
    sys.argv = ["tauhat", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code
found = [name for name in {HEAVY} if name in sys.modules]
"""
    assert run(code) == []


def test_the_ensembles_are_imported_without_an_engine_or_matplotlib():
    code = f"""
import sys, tauhat.ensembles, tauhat.learners, tauhat.registry
tauhat.registry.estimator("Robust"), tauhat.registry.estimator_names(every=True)
found = [name for name in {(*ENGINES, "matplotlib")} if name in sys.modules]
"""
    assert run(code) == []


def test_engines_come_without_matplotlib_which_works_afterwards():
    code = """
import sys
from tauhat.runtime.engines import engine
modules = [engine(name) for name in ("stochtree", "gpboost", "lightgbm")]
there = [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]
found = [there, modules == [sys.modules[m.__name__] for m in modules]]
plt = modules[0].plotting.plt
plt.switch_backend("agg")
figure, axes = plt.subplots()
import matplotlib.pyplot
found += [figure is matplotlib.pyplot.gcf(), isinstance(axes, matplotlib.pyplot.Axes)]
found += [type(matplotlib).__name__, type(matplotlib.pyplot).__name__]
"""
    assert run(code) == [[], True, True, True, "module", "module"]


@pytest.mark.parametrize(
    "before", [pytest.param("matplotlib", marks=pytest.mark.slow), "matplotlib.pyplot"]
)
def test_matplotlib_that_was_there_before_stays(before):
    code = f"""
import sys, {before}
there = sys.modules["{before}"]
from tauhat.runtime.engines import engine
plt = engine("stochtree").plotting.plt
plt.switch_backend("agg")
figure, axes = plt.subplots()
found = [sys.modules["{before}"] is there, figure is sys.modules["matplotlib.pyplot"].gcf()]
"""
    assert run(code) == [True, True]


def test_a_library_that_a_task_loads_has_one_thread_until_the_task_ends():
    code = """
from threadpoolctl import ThreadpoolController
from tauhat.runtime.engines import engine
from tauhat.runtime.parallel import run_tasks
def threads():
    found = ThreadpoolController().info()
    return {library["filepath"]: library["num_threads"] for library in found}
def task(name):
    before = threads()
    engine(name)
    return before, threads()
import numpy
((before, inside),) = run_tasks(task, [("sklearn.ensemble",)])
after = threads()
found = [len(inside) > len(before), set(inside.values()) == {1}, set(after.values()) == {2}]
"""
    assert run(code, OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2") == [True, True, True]


def test_garbage_is_looked_for_again_after_imports_also_when_one_fails():
    code = """
import gc, tauhat.ensembles
from tauhat.runtime.engines import engine
found = [gc.isenabled()]
try:
    engine("no_such_engine")
except ImportError:
    found.append(gc.isenabled())
gc.disable()
engine("lightgbm")
found.append(gc.isenabled())
before = gc.get_threshold()
from tauhat.cli import main
main(["run", "nowhere.csv", "--outcome", "y", "--treatment", "a"])
found.append(gc.get_threshold() == before)
"""
    assert run(code) == [True, True, False, True]
