"""Sections and figures from held-out effects, the guidelines' table, limits and weights."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tauhat.report import ReportInput, plots, render_html
from tauhat.report.cannot_show import limits
from tauhat.report.paper import paper
from tauhat.report.text import certainty_answer

RUN = Path(__file__).with_name("report_run.json")
HOSTILE = "<script>alert(1)</script> $\\frac{1}{0}$ & \"quoted\" 'name'"


def example_run() -> dict[str, Any]:
    run: dict[str, Any] = json.loads(RUN.read_text("utf-8"))
    return run


def page_of(run: dict[str, Any]) -> str:
    effect = np.linspace(-6, 0, 600)
    names = ["age", "urban", "female", "region"]
    frame = pd.DataFrame({name: np.arange(600) % 2 for name in names})
    data = ReportInput(
        run=run,
        frame=frame,
        effect=effect,
        lower=effect - 4,
        upper=effect + 4,
        check_table=pd.DataFrame({"item": ["persons"], "value": ["600"]}),
        balance=pd.DataFrame({"covariate": names, "difference": [0.1, -0.2, 0.0, 0.3]}),
    )
    # Figures are drawn, but turning them into SVG takes most of a page's time.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "to_data_uri", lambda figure: "data:,")
        return render_html(data)


def section(page: str, anchor: str) -> str:
    found = re.search(rf'<section id="{anchor}">.*?</section>', page, flags=re.DOTALL)
    assert found, anchor
    return found[0]


def rows_of(part: str, caption: str) -> list[list[str]]:
    """Cells of the table of a section whose caption begins so."""
    for table in re.findall(r"<table>.*?</table>", part, flags=re.DOTALL):
        if re.search(rf"<caption>{re.escape(caption)}", table):
            body = table.split("<tbody>")[1]
            return [
                [html.unescape(re.sub(r"<[^>]*>", "", c)).strip() for c in cells]
                for row in re.findall(r"<tr>.*?</tr>", body, flags=re.DOTALL)
                if (cells := re.findall(r"<t[hd][^>]*>.*?</t[hd]>", row, flags=re.DOTALL))
            ]
    raise AssertionError(caption)


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(example_run())


def test_sections_stand_in_the_order_of_their_weight(page: str) -> None:
    assert re.findall(r'<section id="([a-z]+)">', page) == [
        "compared",
        "design",
        "average",
        "test",
        "modifiers",
        "distribution",
        "covariates",
        "groups",
        "subgroups",
        "calibration",
        "models",
        "variance",
        "sensitivity",
        "reading",
        "limits",
        "made",
        "checklist",
        "glossary",
    ]


def test_groups_show_prediction_effect_and_interval(page: str) -> None:
    part = section(page, "groups")
    rows = rows_of(part, "Effects of groups")
    assert rows[0] == ["1 (smallest)", "150", "−5.0", "−5.5", "−8.5 to −2.5"]
    assert rows[-1] == ["largest less smallest", "–", "–", "4.5", "0.5 to 8.5"]
    assert "The two groups differ." in part
    assert "nothing here is a test" in part
    who = rows_of(part, "Who is in the quarters")
    assert who[0] == ["age", "61.25", "50.00", "11.25", "11.05 to 11.45", "0.80"]
    assert who[1] == ["female, %", "40", "75", "−35", "−55 to −15", "0.80"]


def test_a_share_of_fewer_than_five_persons_is_not_shown() -> None:
    run = example_run()
    hidden = run["held_out"]["classification"][1]
    hidden |= dict.fromkeys(
        ["largest", "smallest", "difference", "se", "lower", "upper", "standardized"]
    )
    hidden["fewer_than_five"] = True
    run["held_out"]["subgroups"]["subgroups"][0]["persons"] = 4
    run["held_out"]["subgroups"]["subgroups"][0]["control_units"] = 3
    page = page_of(run)
    assert rows_of(section(page, "groups"), "Who is in")[1] == ["female", *["–"] * 5]
    assert rows_of(section(page, "subgroups"), "Subgroups")[0][2:4] == ["<5", "3"]
    run["design"] |= {"type": "individual", "clusters": None, "cluster_covariates": []}
    run["average_effect"] |= {"cluster": None, "difference": None}
    alone = section(page_of(run), "subgroups")
    assert rows_of(alone, "Subgroups")[0][2:4] == ["<5", "<5"]


def test_subgroups_show_rule_size_clusters_effect_and_credibility(page: str) -> None:
    part = section(page, "subgroups")
    assert rows_of(part, "Subgroups") == [
        ["largest effect", "age <= 48.5", "180", "7", "6", "−1.2", "−4.4 to 2.0", "65%"],
        ["smallest effect", "age > 60 and female = 1", "180", "7", "6", "−5.9", "−9.7 to −2.1",
         "65%"],
    ]  # fmt: skip
    assert rows_of(part, "How credible") == [["Were few examined?", "no", "9 searched"]]
    assert "differ by 4.7 (−0.3 to 9.7): this includes zero" in part
    assert "Covariates in the rules of those fits: age 95%." in part


def test_without_a_subgroup_the_section_says_so() -> None:
    run = example_run()
    run["held_out"]["subgroups"] |= {"subgroups": [], "covariates": []}
    part = section(page_of(run), "subgroups")
    assert "do not differ enough between persons to cut out a subgroup" in part
    assert "<table>" not in part


def test_calibration_ranking_and_policies(page: str) -> None:
    part = section(page, "calibration")
    assert "calibration slope is 0.80 (0.20 to 1.40)" in part
    measures = rows_of(part, "Calibration and ranking")
    assert measures[0] == ["Calibration slope", "0.80", "0.20 to 1.40"]
    assert measures[2] == ["AUTOC, lower is better", "1.2", "0.2 to 2.2"]
    gains = rows_of(part, "Mean gain a person")
    assert gains[1] == ["Lower is better: by the model against everyone", "90%", "3.0",
                        "1.0 to 5.0"]  # fmt: skip
    assert "as it did when whole clusters received it" in part


def test_numbers_that_could_not_be_estimated_are_said_to_be_so() -> None:
    run = example_run()
    nothing = dict.fromkeys(["estimate", "se", "lower", "upper"])
    found = run["held_out"]
    found["difference"] = nothing
    found["calibration"]["slope"] = nothing
    found["subgroups"]["difference"] = nothing
    found["subgroups"]["subgroups"][0] |= nothing
    page = page_of(run)
    assert rows_of(section(page, "groups"), "Effects of groups")[-1][3:] == ["not estimated", "–"]
    assert "hardly differ between persons (SD 2.1), too little for a calibration slope" in page
    assert rows_of(section(page, "calibration"), "Calibration and")[0][1:] == ["not estimated", "–"]
    assert "an arm has too few units in a subgroup" in page
    assert not re.search(r"\bnan\b", page)


def test_what_was_not_estimated_is_one_section_with_the_reason() -> None:
    run = example_run() | {
        "held_out": {"given": False, "reason": "The smaller arm has 4 clusters."}
    }
    page = page_of(run)
    assert "The smaller arm has 4 clusters." in section(page, "groups")
    assert 'id="subgroups"' not in page
    covered = section(page, "checklist")
    assert "Calibration and discrimination for benefit" not in covered
    assert "Absolute effects across groups of predicted benefit" not in covered
    assert "Groups, subgroups and calibration" not in covered
    assert "held-out" not in certainty_answer(run).text


def test_first_screen_says_whether_the_quarters_differ() -> None:
    run = example_run()
    assert "predicted effect do differ (4.5, 0.5 to 8.5)" in certainty_answer(run).text
    run["held_out"]["difference"]["lower"] = -0.5
    assert "are not shown to differ" in certainty_answer(run).text
    assert "order predicted" not in certainty_answer(run).text
    run["held_out"]["difference"] |= {"estimate": -4.5, "lower": -8.5, "upper": -0.5}
    said = "(−4.5, −8.5 to −0.5). That is the opposite of the order predicted."
    assert said in certainty_answer(run).text
    assert "The two groups differ. That is the opposite of" in section(page_of(run), "groups")
    assert "no model saw. That is the opposite of" in str(paper(run))


def test_the_ends_share_their_noun_in_words_of_benefit() -> None:
    run = {**example_run(), "better": "higher"}
    assert "quarters with the most and the least predicted benefit do differ" in (
        certainty_answer(run).text
    )
    assert "of persons with the most and the least predicted benefit differ with" in " ".join(
        limits(run)
    )
    page = page_of(run)
    assert "Who is in the quarters with the most and the least predicted benefit" in page
    assert "most benefit and the" not in page


def test_limits_name_the_difference_that_would_go_unseen() -> None:
    run = example_run()
    said = " ".join(limits(run))
    assert "a true difference under about 4.0 would probably not be detected" in said
    assert "rest on as few as 6 clusters in an arm" in said


def test_weights_are_told_apart_into_given_and_earned(page: str) -> None:
    part = section(page, "models")
    assert "Half of the weight was given." in part
    assert rows_of(part, "Where the weights come from") == [
        ["LMM", "58%", "17%", "41%", "4.0%", "0.67"],
        ["BART-RE", "25%", "17%", "8.0%", "4.0%", "0.67"],
        ["X-RF", "17%", "17%", "–", "4.0%", "0.67"],
    ]
    run = example_run()
    run["reported_model"]["explanation"] = None
    plain = section(page_of(run), "models")
    assert "Where the weights come from" not in plain
    assert "it disagrees" in plain
    assert "grey: left out" in plain


def test_no_weight_is_called_earned_and_no_model_left_out_where_none_is() -> None:
    run = example_run()
    for row in run["reported_model"]["explanation"]["members"]:
        row |= {"earned": None, "earned_sd": None}
    for model in run["models"]:
        model["kept"] = True
    part = section(page_of(run), "models")
    assert rows_of(part, "Where the weights come from")[0] == ["LMM", "58%", "0.67"]
    assert "Weights of the members in the ensemble." in part
    assert not re.search("Earned|earned|left out", part)


def test_guidelines_point_to_sections_that_are_there(page: str) -> None:
    part = section(page, "checklist")
    assert "<details>" in part
    titles = {html.unescape(t) for t in re.findall(r"<h2>(.*?)</h2>", page)}
    rows = rows_of(part, "Items covered")
    assert len(rows) >= 15
    for _, _, where in rows:
        assert set(where.split("; ")) <= titles
    assert ["PATH", "The overall result first", "Average effects"] in rows
    assert any(item.startswith("CONSORT-cluster 17a") for item, _, _ in rows)
    run = example_run()
    run["design"] |= {"type": "individual", "clusters": None, "cluster_covariates": []}
    run["average_effect"] |= {"cluster": None, "difference": None}
    alone = section(page_of(run), "checklist")
    assert "CONSORT-cluster" not in alone
    assert "clusters and persons" not in alone


def test_command_to_run_it_again_is_shown(page: str) -> None:
    assert ["To run it again", "tauhat run trial.csv --outcome sbp_12m"] in rows_of(
        section(page, "made"), "Provenance"
    )


def tables() -> dict[str, pd.DataFrame]:
    found = example_run()["held_out"]
    return {
        "groups": pd.DataFrame(found["groups"]),
        "curve": pd.DataFrame(found["calibration"]["curve"]),
        "subgroups": pd.DataFrame(found["subgroups"]["subgroups"]),
        "targeting": pd.DataFrame(found["ranking"][0]["curve"]),
    }


def test_plots_come_with_the_numbers_that_they_show() -> None:
    given = tables()
    average = plots.Interval("average", -3.2, -6.1, -0.4)
    forest = plots.subgroup_forest_plot(given["subgroups"], average=average, axis_label="Effect")
    assert forest.data.estimate.tolist() == [-1.2, -5.9, -3.2]
    assert forest.data.subgroup.tolist()[-1] == "everyone"
    drawn = [
        plots.sorted_groups_plot(given["groups"], average=average, axis_label="Effect"),
        plots.calibration_plot(given["curve"], axis_label="Effect"),
        plots.targeting_plot(given["targeting"], axis_label="Gain"),
    ]
    assert [len(plot.data) for plot in drawn] == [4, 5 - 1, 20]
    for plot in [forest, *drawn]:
        assert isinstance(plot.figure, Figure)
        points = {
            round(float(v), 9)
            for line in plot.figure.axes[0].lines
            for v in [*np.ravel(line.get_xdata()), *np.ravel(line.get_ydata())]
        }
        assert {round(v, 9) for v in plot.data.estimate} <= points


def test_the_row_of_the_difference_is_not_drawn_as_a_group() -> None:
    groups = tables()["groups"]
    difference = {"group": "largest less smallest", "persons": np.nan, "predicted": 3.0,
                  "estimate": 4.5, "lower": 0.5, "upper": 8.5}  # fmt: skip
    table = pd.concat([groups, pd.DataFrame([difference])])
    assert len(plots.sorted_groups_plot(table, axis_label="Effect").data) == 4


def test_labels_of_a_forest_are_plain_text_of_bounded_length() -> None:
    table = tables()["subgroups"]
    table["rule"] = [f"{HOSTILE * 50} > 3 and {HOSTILE} <= 5", "x = 1"]
    svg = plots.to_svg(plots.subgroup_forest_plot(table, axis_label=HOSTILE).figure)
    assert "<script" not in svg
    assert len(svg) < 30_000
    texts = re.findall(r"<text[^>]*>(.*?)</text>", svg, flags=re.DOTALL)
    assert any("alert(1)" in html.unescape(text) for text in texts)
    assert max(len(html.unescape(text)) for text in texts) <= 60


def test_effects_in_groups_of_covariates_are_shown_but_for_small_cells(page: str) -> None:
    part = section(page, "covariates")
    rows = rows_of(part, "Effects in groups along")
    assert rows[0] == ["age", "around 45", "200", "15", "15", "−1.0", "−4.2 to 2.2"]
    assert rows[-1] == ["female", "(missing)", "<5", "2", "2", "not estimated", "–"]
    assert "9.9" not in part
    run = example_run()
    run["held_out"]["by_covariate"] = []
    assert 'id="covariates"' not in page_of(run)
    forest = plots.covariate_forest_plot(
        pd.DataFrame(example_run()["held_out"]["by_covariate"]), axis_label="Effect"
    )
    assert forest.data.persons.min() >= 5
    labels = [tick.get_text() for tick in forest.figure.axes[0].get_yticklabels()]
    assert labels == ["age", "around 45  (200)", "around 65  (400)", "female", "0  (300)",
                      "1  (296)"]  # fmt: skip


def test_a_far_wider_interval_does_not_set_the_axis_of_a_forest() -> None:
    rows = [
        ("age", "young", 40, 2.0, 1.0, 3.0),
        ("age", "old", 40, 1.0, 0.0, 2.0),
        ("age", "oldest", 6, 0.5, -300.0, 301.0),
        ("sex", "f", 40, 1.5, 0.5, 2.5),
        ("sex", "unknown", 5, 90.0, 50.0, 130.0),
    ]
    names = ["covariate", "group", "persons", "estimate", "lower", "upper"]
    groups = pd.DataFrame(rows, columns=names)
    forest = plots.covariate_forest_plot(groups, axis_label="Effect")
    axes = forest.figure.axes[0]
    left, right = axes.get_xlim()
    assert -1 < left < 0
    assert 3 < right < 4
    arrows = [line for line in axes.lines if line.get_marker() in ("<", ">")]
    # One row runs out on both sides; the other, with its estimate, lies past the right end.
    assert sorted(float(line.get_xdata()[0]) for line in arrows) == [left, right, right]
    assert forest.text.endswith("Rows whose interval runs past the axis, with arrows: 2.")
    assert len(forest.data) == 5
    usual = plots.covariate_forest_plot(groups.iloc[:2], axis_label="Effect")
    assert usual.text.endswith("with intervals.")
    assert not [line for line in usual.figure.axes[0].lines if line.get_marker() in ("<", ">")]
    usual = groups.rename(columns={"group": "subgroup"}).assign(rule="").iloc[[0, 1, 2]]
    assert plots.subgroup_forest_plot(usual, axis_label="Effect").text.endswith("arrows: 1.")


def test_a_group_without_limits_keeps_its_mark() -> None:
    rows = [("age", "young", 40, 2.0, 1.0, 3.0), ("age", "old", 40, 1.5, np.nan, np.nan)]
    names = ["covariate", "group", "persons", "estimate", "lower", "upper"]
    forest = plots.covariate_forest_plot(pd.DataFrame(rows, columns=names), axis_label="Effect")
    squares = [line for line in forest.figure.axes[0].lines if line.get_marker() == "s"]
    assert [float(x) for line in squares for x in line.get_xdata()] == [2.0, 1.5]


def test_the_caption_explains_arrows_where_there_are_any() -> None:
    run = example_run()
    assert "Arrow:" not in section(page_of(run), "covariates")
    rows = run["held_out"]["by_covariate"]
    rows[0] = {**rows[0], "lower": -400.0, "upper": 400.0}
    assert "Arrow: an interval more than four times" in section(page_of(run), "covariates")
