from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tauhat.report import ReportInput, plots, render_fragment, render_html
from tauhat.report.effect_sections import modifier_section

N = 600
RUN = Path(__file__).with_name("report_run.json")


def modifier(
    name: str, strength: float, p_adjusted: float | None, level: str = "person"
) -> dict[str, Any]:
    return {
        "covariate": name,
        "measured_on": level,
        "strength": strength,
        "share": strength,
        "partial_share": strength / 2,
        "lowest_label": "around 70",
        "lowest_effect": -6.0,
        "highest_label": "around 40",
        "highest_effect": -1.0,
        "p_adjusted": p_adjusted,
    }


def example_run(**changes: Any) -> dict[str, Any]:
    """Content of a run.json of a cluster trial, with some keys replaced."""
    run: dict[str, Any] = json.loads(RUN.read_text("utf-8"))
    return {**run, **changes}


def example_input(run: dict[str, Any] | None = None, **names: str) -> ReportInput:
    """Report input with 600 persons; ``names`` renames covariates."""
    rng = np.random.default_rng(1)
    age = rng.normal(55, 10, N).round(1)
    frame = pd.DataFrame(
        {
            "age": age,
            "female": rng.integers(0, 2, N),
            "region": rng.choice(["north", "south", "east"], N),
            "urban": rng.choice(["yes", "no"], N),
        }
    ).rename(columns=names)
    effect = -3.2 - 0.12 * (age - 55) + rng.normal(0, 0.5, N)
    return ReportInput(
        run=example_run() if run is None else run,
        frame=frame,
        effect=effect,
        lower=effect - 4.5,
        upper=effect + 4.5,
        check_table=pd.DataFrame({"item": ["persons", "clusters"], "value": ["600", "30"]}),
        balance=pd.DataFrame({"covariate": list(frame.columns), "difference": [0.1, -0.2, 0, 0.3]}),
    )


def words_of(run: dict[str, Any]) -> str:
    """The page without its images, which take most of its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "to_data_uri", lambda figure: "data:,")
        return render_html(example_input(run))


class Outline(HTMLParser):
    """Headings, images, scripts and addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.images: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.images.append(dict(attrs))
        for name, value in attrs:
            assert not name.startswith("on"), f"<{tag} {name}>"
            if name in ("src", "href", "action", "srcset"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    return parser


def figures(page: str) -> list[str]:
    """The SVG documents in a page."""
    return [
        base64.b64decode(code).decode()
        for code in re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    ]


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(example_input())


def test_page_is_one_file_that_runs_nothing_and_fetches_nothing(page: str) -> None:
    found = outline(page)
    assert "script" not in found.tags
    assert all(a.startswith(("data:", "#")) for a in found.addresses), found.addresses
    assert not re.search(r"@import|url\((?!data:)", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    for svg in figures(page):
        assert "<script" not in svg
        assert not re.search(r'href="(?!#)', svg)


def test_headings_descend_in_order_and_links_lead_somewhere(page: str) -> None:
    found = outline(page)
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    for above, below in zip(found.headings, found.headings[1:], strict=False):
        assert below <= above + 1
    assert len(set(found.ids)) == len(found.ids)
    assert {a[1:] for a in found.addresses if a.startswith("#")} <= set(found.ids)


def test_every_figure_says_in_words_what_it_shows(page: str) -> None:
    found = outline(page)
    assert len(found.images) >= 6
    for image in found.images:
        assert image["alt"]
        assert len(image["alt"]) > 40
    averages = next(i["alt"] for i in found.images if "Average effects" in (i["alt"] or ""))
    assert "−3.2" in averages
    assert "−6.1 to −0.4" in averages


HOSTILE = (
    "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;$\\frac{1}{0}$‮" + "Ω" * 10_000
)


def test_strings_of_the_data_stay_strings() -> None:
    run = example_run()
    run["roles"]["outcome"] = HOSTILE
    run["design"]["arms"]["treated"]["label"] = HOSTILE
    run["check"]["warnings"] = [HOSTILE]
    run["modifiers"][0]["covariate"] = HOSTILE
    run["modifiers"][3]["covariate"] = "a\nb\x00\x07"
    run["models"][0]["failure"] = HOSTILE
    run["rerun"] = HOSTILE
    for row in run["held_out"]["classification"]:
        row["covariate"] = HOSTILE
    subgroups = run["held_out"]["subgroups"]
    subgroups["subgroups"][0]["rule"] = f"{HOSTILE} > 3"
    subgroups["covariates"][0]["covariate"] = HOSTILE
    subgroups["credibility"][0]["basis"] = HOSTILE
    run["reported_model"]["explanation"]["text"] = HOSTILE
    run["reported_model"]["explanation"]["members"][0]["member"] = HOSTILE
    data = example_input(run, age=HOSTILE, region="a\nb\x00\x07")
    data.frame["female"] = np.where(data.frame["female"] == 1, HOSTILE, "{{ 7 * 7 }}")
    page = render_html(data)
    found = outline(page)
    assert "script" not in found.tags
    assert all(i["src"] and i["src"].startswith("data:image/svg") for i in found.images)
    assert "49" not in re.findall(r"\{\{ 7 \* 7 \}\}|\b49\b", "".join(found.text))
    assert "{{ 7 * 7 }}" in "".join(found.text)
    for svg in figures(page):
        assert "<script" not in svg
        assert "onerror" not in re.sub(r">[^<]*<", "><", svg)
    # A dollar sign in a name starts no formula, and long names are cut where space is short.
    assert any("alert('x')" in svg.replace("&#39;", "'") for svg in figures(page))
    assert max(len(svg) for svg in figures(page)) < 200_000
    assert "<script" not in render_fragment(run)


def test_figures_are_valid_xml_whatever_the_names_hold() -> None:
    from xml.etree import ElementTree

    name = "".join(map(chr, range(32))) + "\ufffe" + "age"
    run = example_run()
    run["modifiers"][0]["covariate"] = name
    page = render_html(example_input(run, age=name))
    for svg in figures(page):
        ElementTree.fromstring(svg)


def test_synthetic_data_are_named_so_on_the_first_screen(page: str) -> None:
    synthetic = words_of(example_run(synthetic="Made up."))
    assert synthetic.index("Synthetic data.") < synthetic.index("<main>")
    assert "The data are synthetic" in synthetic
    assert "Synthetic" not in page


def test_a_failed_check_is_named_before_the_answers() -> None:
    said = "'x' copies the outcome."
    found = {"code": "outcome-copy", "grade": "error", "item": "like the outcome", "value": "x"}
    check = {"passed": False, "warnings": [], "accepted": [], "failures": [said], "notes": []}
    check["findings"] = [{**found, "sentence": said, "accepted": False}]
    page = words_of(example_run(check=check))
    assert page.index("The design check failed") < page.index("<main>")
    assert page.index(" copies the outcome") < page.index('class="answers"')


def test_open_warnings_stand_before_the_answers_and_notes_in_the_appendix(page: str) -> None:
    first = page[: page.index('class="answers"')]
    assert "1 warning to look into; 1 note" in first
    assert "There are few clusters." in first
    assert "A note." not in page[: page.index('id="appendix"')]
    assert "A note." in page


@pytest.mark.parametrize(
    ("p_value", "headline", "whom"),
    [
        (0.004, "Yes, by strong evidence", "It differs by age"),
        (0.03, "Probably", "It differs by age"),
        (0.2, "Not shown", "Only age (p = 0.020) would pass a test alone"),
    ],
)
def test_first_screen_answers_by_the_primary_test(p_value: float, headline: str, whom: str) -> None:
    run = example_run()
    run["heterogeneity_test"]["p_value"] = p_value
    page = words_of(run)
    assert headline in page
    assert whom in page


def test_without_a_covariate_that_passes_its_test_the_report_names_nobody() -> None:
    run = example_run()
    run["heterogeneity_test"]["p_value"] = 0.4
    for found in run["modifiers"]:
        found["p_adjusted"] = 0.5
    page = words_of(run)
    assert "This trial cannot say" in page
    assert "take this as a lead for other trials" in page
    run["heterogeneity_test"]["p_value"] = 0.01
    assert "No single covariate explains it" in words_of(run)


def test_the_report_points_to_no_section_that_it_lacks() -> None:
    run = example_run()
    assert "under Effects in groups of persons along each covariate. Orange" in words_of(run)
    run["held_out"] = {**run["held_out"], "given": False, "reason": "Not estimated."}
    page = words_of(run)
    assert "in groups of persons, without intervals. Orange" in page
    assert "Named modifiers" not in page


def test_a_covariate_along_which_effects_hardly_vary_is_no_lead() -> None:
    run = example_run()
    run["heterogeneity_test"]["p_value"] = 0.4
    for found in run["modifiers"]:
        found |= {"p_adjusted": 0.5, "lowest_effect": -3.3, "highest_effect": -3.1}
    page = words_of(run)
    assert "No covariate stands out" in page
    assert "take this as a lead" not in page


def test_individually_randomized_trial_has_no_cluster_section() -> None:
    run = example_run(variance_components=[])
    run["design"] |= {"type": "individual", "clusters": None, "cluster_covariates": []}
    run["average_effect"] |= {"cluster": None, "difference": None}
    page = words_of(run)
    assert "600 analysed persons were randomized" in page
    assert "Differences between clusters" not in page
    assert "Cluster-average" not in page


def test_limits_speak_about_this_trial(page: str) -> None:
    assert "30 clusters are few" in page
    assert "60 of 660 persons (9.1%) have no outcome" in page
    assert "cover on average over persons" in page
    run = example_run()
    run["design"] |= {"clusters": 200, "n_missing_outcome": 0, "cluster_covariates": []}
    other = words_of(run)
    assert "clusters are few" not in other
    assert "have no outcome" not in other


def test_limits_count_the_smaller_arm(page: str) -> None:
    assert "clusters are in the smaller arm" not in page
    run = example_run()
    run["design"]["arms"]["treated"]["clusters"] = 2
    run["design"]["arms"]["control"]["clusters"] = 28
    assert "Only 2 of the 30 clusters are in the smaller arm" in words_of(run)


def test_no_person_can_be_read_off_the_page() -> None:
    data = example_input()
    data.run["modifiers"].append(modifier("income", 0.3, None))
    frame = data.frame.assign(
        region=["Atlantis"] * 3 + ["north"] * 297 + ["south"] * 300,
        income=np.r_[np.full(599, 10.0), 987654.0],
    )
    page = render_html(
        ReportInput(
            run=data.run,
            frame=frame,
            effect=data.effect,
            lower=data.lower,
            upper=data.upper,
            check_table=data.check_table,
            balance=data.balance,
        )
    )
    everything = page + "".join(figures(page))
    assert "Atlantis" not in everything
    assert "987654" not in everything.replace(",", "")
    smallest = f"{data.effect.min():.6g}"
    assert smallest not in everything


def test_same_input_gives_the_same_bytes(page: str) -> None:
    assert render_html(example_input()) == page


def test_one_model_and_constant_effects_make_a_page() -> None:
    run = example_run(agreement=None, modifiers=[])
    run["models"] = run["models"][:1]
    data = example_input(run)
    page = render_html(
        ReportInput(
            run=run,
            frame=data.frame,
            effect=np.full(N, -3.0),
            lower=np.full(N, -5.0),
            upper=np.full(N, -1.0),
            check_table=data.check_table,
            balance=data.balance.iloc[:0],
        )
    )
    assert "No covariate stands out" in page
    assert "Kendall correlations between" not in page


def test_one_wide_interval_does_not_flatten_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    data = example_input()
    rare = np.cumsum((data.frame["region"] == "south").to_numpy()) <= 6
    rare &= (data.frame["region"] == "south").to_numpy()
    ranges: list[tuple[float, float]] = []
    original = plots.effect_by_covariate_plot

    def keep(groups: Any, **settings: Any) -> Any:
        ranges.append(settings["limits"])
        return original(groups, **settings)

    monkeypatch.setattr(plots, "effect_by_covariate_plot", keep)
    wide = replace(
        data,
        run=example_run(modifiers=[modifier(name, 0.5, None) for name in ("age", "region")]),
        frame=data.frame.assign(region=np.where(rare, "far", data.frame["region"])),
        lower=np.where(rare, -900.0, data.lower),
        upper=np.where(rare, 900.0, data.upper),
    )
    modifier_section(wide)
    assert len(ranges) == 2
    assert ranges[0] == ranges[1]
    assert -100 < ranges[0][0] < data.effect.mean() < ranges[0][1] < 100
