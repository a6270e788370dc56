"""Figures: their numbers, formats, small cells, and colours that everybody can tell apart."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

import tauhat
from tauhat.errors import TrialError
from tauhat.report import plots
from tauhat.report.grouping import EffectGroups, two_way_groups
from tauhat.report.plots.style import (
    BLUE,
    INK,
    LINES,
    MUTED,
    ORANGE,
    STYLE,
    contrast,
    readable_on,
)

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(colour: str, vision: str) -> np.ndarray:
    """CIELAB coordinates of a colour as somebody sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ) @ seen / [0.9505, 1, 1.089]  # fmt: skip
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", list(VISION))
def test_colours_are_told_apart_with_every_kind_of_colour_blindness(vision: str) -> None:
    for one, other in itertools.combinations(LINES, 2):
        assert np.linalg.norm(lab(one, vision) - lab(other, vision)) > 30


def test_colours_have_contrast_on_white() -> None:
    assert min(contrast(colour, "white") for colour in (INK, MUTED)) >= 4.5
    assert min(contrast(colour, "white") for colour in LINES) >= 3
    greys = np.linspace(0, 1, 101)
    assert min(contrast(readable_on((g, g, g)), (g, g, g)) for g in greys) >= 4.5
    # Of the map and of the agreement, between their ends.
    for end in (BLUE, ORANGE):
        for share in greys:
            mixed = share * np.array(to_rgb(end)) + (1 - share) * np.array(to_rgb("#f7f5f2"))
            assert contrast(readable_on(mixed), mixed) >= 4.5


def test_letters_have_the_size_of_print() -> None:
    drawn = plots.balance_plot(["age", "sex"], np.array([0.1, -0.2]))
    sizes = [text.get_size() for text in drawn.figure.findobj() if hasattr(text, "get_size")]
    assert STYLE["font.size"] == 9
    assert min(size for size in sizes if isinstance(size, float)) >= 7


def example() -> plots.Plot:
    return plots.interval_plot([plots.Interval("a", 1.0, 0.0, 2.0)], axis_label="Effect")


def test_a_figure_is_saved_in_each_format_at_the_asked_width(tmp_path: Path) -> None:
    drawn = example()
    png = drawn.save(tmp_path / "a.png", width=85, dpi=200).read_bytes()
    width = int.from_bytes(png[16:20], "big")
    assert width == pytest.approx(85 / 25.4 * 200, abs=1)
    svg = drawn.save(tmp_path / "a.svg", width=175).read_text("utf-8")
    root = ElementTree.fromstring(svg)
    assert float(root.attrib["width"].removesuffix("pt")) == pytest.approx(175 / 25.4 * 72, abs=0.1)
    assert drawn.save(tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert drawn.figure.get_size_inches()[0] == pytest.approx(4.2)
    with pytest.raises(TrialError, match=r"not as a\.gif"):
        drawn.save(tmp_path / "a.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png", "a.svg"]


def test_the_same_figure_gives_the_same_bytes() -> None:
    for kind in ("svg", "png", "pdf"):
        assert getattr(example(), kind)() == getattr(example(), kind)()


def test_a_figure_shows_itself_with_its_words_in_a_notebook() -> None:
    shown = example()._repr_html_()
    assert 'alt="Estimates with their intervals: a 1."' in shown
    assert example().table.estimate.tolist() == [1.0]


def test_cells_of_fewer_than_five_persons_are_empty_in_the_map() -> None:
    first = pd.Series(["a"] * 20 + ["b"] * 20, name="first")
    second = pd.Series((["x"] * 16 + ["y"] * 4) + ["x"] * 10 + ["y"] * 10, name="second")
    effect = np.r_[np.full(16, 1.0), np.full(4, 77.0), np.full(10, 2.0), np.full(10, 3.0)]
    cells = two_way_groups(first, second, effect)
    assert cells is not None
    assert cells.effect.tolist()[0] == 1.0
    assert np.isnan(cells.effect[1])
    assert pd.isna(cells.persons[1])
    drawn = plots.effect_map_plot(cells, names=("first", "second"), axis_label="Effect")
    assert "1 cells of too few persons" in drawn.text
    # Coordinates may hold any digits; what is written may not.
    assert "77" not in " ".join(re.findall(r">([^<]+)<", drawn.svg()))
    assert len(drawn.figure.axes[0].patches) == 1


def test_a_covariate_of_one_value_makes_no_map() -> None:
    constant = pd.Series(np.ones(40))
    assert two_way_groups(constant, pd.Series(np.arange(40.0)), np.arange(40.0)) is None


def test_small_clusters_are_not_drawn() -> None:
    table = pd.DataFrame(
        {
            "treatment": [0, 1, 1],
            "persons": [12, 4, 30],
            "estimate": [0.5, -9.0, -0.5],
            "lower": [0.0, -12.0, -1.0],
            "upper": [1.0, -6.0, 0.0],
        }
    )
    drawn = plots.cluster_caterpillar_plot(table, axis_label="Outcome")
    assert drawn.data.estimate.tolist() == [-0.5, 0.5]
    assert drawn.figure.axes[0].get_ylim()[0] > -5


def test_weights_are_given_and_earned_and_their_error_starts_at_the_given_share() -> None:
    table = pd.DataFrame(
        {
            "member": ["A", "B"],
            "weight": [0.3, 0.7],
            "given": [0.25, 0.25],
            "earned": [0.05, 0.45],
            "earned_sd": [0.2, 0.1],
        }
    )
    drawn = plots.member_weights_plot(table)
    assert drawn.data.member.tolist() == ["B", "A"]
    bars = [patch.get_width() for patch in drawn.figure.axes[0].patches]
    assert bars == pytest.approx([25, 25, 45, 5])
    (lines,) = drawn.figure.axes[0].collections
    ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
    assert ends == [pytest.approx([60, 80]), pytest.approx([25, 50])]
    plain = plots.member_weights_plot(table[["member", "weight"]])
    assert [patch.get_width() for patch in plain.figure.axes[0].patches] == [70, 30]


def test_spread_of_the_members_is_that_of_groups_of_persons() -> None:
    effect = np.arange(60.0)
    members = pd.DataFrame({"ensemble": effect + 1, "spread": effect - 1})
    drawn = plots.member_spread_plot(effect, members, axis_label="Effect")
    assert drawn.data.persons.min() >= 5
    assert drawn.data.persons.sum() == 60
    assert drawn.data.iloc[:, 3].to_numpy() == pytest.approx(np.ones(len(drawn.data)))
    assert drawn.data.iloc[:, 4].to_numpy() == pytest.approx(drawn.data.iloc[:, 2] + 1)


def test_qini_is_the_targeting_curve_times_the_share() -> None:
    curve = pd.DataFrame({"share": [0.25, 0.5, 1.0], "estimate": [4.0, 3.0, 0.0]})
    curve = curve.assign(lower=curve.estimate - 1, upper=curve.estimate + 2)
    drawn = plots.qini_plot(curve, axis_label="Gain")
    assert drawn.data.estimate.tolist() == [1.0, 1.5, 0.0]
    assert drawn.data.upper.tolist() == [1.5, 2.5, 2.0]
    assert "1.5, at 50% treated" in drawn.text


def test_figures_are_found_under_the_package() -> None:
    assert tauhat.plots.qini_plot is plots.qini_plot
    assert "plots" in dir(tauhat)


def test_bars_that_are_narrow_on_their_axis_are_not_covered_by_their_edges() -> None:
    counts = np.full(22, 20.0)
    wide = plots.Interval("average", -6.3, -10.9, -1.8)
    for spread, width in ((0.5, 0.0), (20.0, 0.8)):
        edges = -6.3 + np.linspace(-spread, spread, 23)
        drawn = plots.effect_distribution_plot(edges, counts, average=wide, axis_label="effect")
        bars = drawn.figure.axes[0].containers[0]
        assert {bar.get_linewidth() for bar in bars} == {width}


@pytest.mark.parametrize("longest", [12, 16, 28, 40, 60])
def test_labels_that_begin_alike_stay_apart(longest: int) -> None:
    start = "Antihypertensive medication at baseline, as the nurse wrote it: "
    labels = [start + end for end in ("none", "one drug", "two drugs")]
    labels += ["Refused", "a" * 99, "a" * 98, "a\tb", "a b"]
    short = plots.told_apart(labels, longest)
    assert len(set(short)) == len(labels)
    assert max(map(len, short)) <= longest
    assert [text[-4:] for text in short[:1]] == ["none"]
    assert short[3] == "Refused"
    # The same labels are the same, also in another order.
    assert plots.told_apart(labels[:1] * 2 + labels, longest)[:3] == [short[0]] * 3


def test_ticks_of_categories_that_begin_alike_differ() -> None:
    start = "Antihypertensive medication at baseline: "
    labels = tuple(start + end for end in ("none", "one drug", "two drugs"))
    groups = EffectGroups("drugs", None, labels, np.arange(3.0), np.full(3, 20))
    drawn = plots.effect_by_covariate_plot(groups, average=None, axis_label="Effect")
    ticks = [tick.get_text() for tick in drawn.figure.axes[0].get_xticklabels()]
    assert ticks == ["Antihyperte…none", "Antihyp…one drug", "Antihy…two drugs"]
