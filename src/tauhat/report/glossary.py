"""The glossary at the end of the report: the words that stand in it, each in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tauhat.report.view import Section, TableView

#: Word, the pattern by which it is found on the page, and what it means.
TERMS = (
    ("Adjusted", r"\badjusted\b", "Compared as if the arms were alike in the covariates named, or, "
     "of p-values, made larger to allow for the number of tests."),
    ("AUTOC, Qini", r"\bAUTOC\b|\bQini\b", "Mean height of the targeting curve, plain and weighted "
     "by the share treated; 0 for a ranking that says nothing."),
    ("Calibration", r"\bcalibration\b", "Whether effects are as large as was predicted."),
    ("Cluster", r"\bclusters?\b", "A group that was randomized as a whole, such as a clinic or a "
     "class. Persons of one cluster are alike, so that clusters count and not persons alone."),
    ("Confidence interval, CI", r"\bCI\b|\binterval\b", "The effects that fit the data. Of 100 "
     "intervals at 95%, about 95 hold the true value."),
    ("Covariate", r"\bcovariates?\b", "What was known of a person or cluster before treatment."),
    ("Degrees of freedom, df", r"\bdf\b|degrees of freedom", "How many independent pieces of "
     "information stand behind a standard error; the fewer, the wider the interval."),
    ("Effect modifier", r"\bmodifiers?\b", "A covariate along which the effect differs."),
    ("Held out", r"\bheld[- ]out\b", "Not used when a prediction was made, so that it can be "
     "judged by it."),
    ("Heterogeneity", r"\bheterogeneity\b", "That the effect differs between people."),
    ("Holm", r"\bHolm\b", "A way to make p-values larger, so that of several tests of true "
     "hypotheses at most one in twenty sets of tests shows anything."),
    ("ICC, intracluster correlation", r"\bICC\b|intracluster", "The share of the outcome's "
     "variation that lies between clusters."),
    ("Individual- and cluster-average", r"(?i)(individual|cluster)-average", "Average effects in "
     "which every person, or every cluster, counts the same."),
    ("Jackknife", r"\bjackknife\b", "A standard error from leaving out one cluster at a time."),
    ("Kendall correlation", r"\bKendall\b", "How alike two orders of the same persons are: 1 the "
     "same, 0 unrelated."),
    ("Member, ensemble", r"\bensemble\b|\bmembers?\b", "One of several models, and their "
     "weighted mean."),
    ("Number needed to treat", r"number needed", "How many persons are treated for one event "
     "fewer, or more."),
    ("Odds ratio, risk ratio", r"\bodds ratio\b|\brisk ratio\b", "By what factor treatment "
     "multiplies the odds of an event (those with it over those without), or its risk."),
    ("p", r"\bp [=<]|\bp\b-?values?", "How often chance alone would give a result at least as far "
     "from no effect. A large one is no evidence of no effect."),
    ("Permutation, random assignment", r"\bpermut|random assignments?", "The arms dealt anew by "
     "computer, to see what chance alone does."),
    ("R-hat, chains", r"\bR-hat\b|\bchains\b", "Runs of a model that draws by chance, and whether "
     "they ended alike (R-hat near 1)."),
    ("Restricted mean survival time, RMST", r"\bRMST\b|restricted mean", "The mean time without "
     "the event up to a horizon."),
    ("Risk difference", r"\brisk differences?\b", "The risk of the event with treatment less that "
     "without."),
    ("SHA-256", r"\bSHA-256\b", "A fingerprint of a file, which tells whether it was changed."),
    ("Shrinkage", r"\bshrink|\bshrunk\b", "Estimates drawn towards their mean, because their "
     "extremes are partly chance."),
    ("Standard deviation (SD), standard error (SE)", r"\bSD\b|\bSE\b|standard (deviation|error)",
     "How far values spread about their mean, and how far an estimate may be off by chance."),
    ("Standardised difference", r"[Ss]tandardised", "A difference in standard deviations."),
    ("Targeting curve", r"[Tt]argeting curve", "What is gained by treating first those whom a "
     "model ranks first."),
)  # fmt: skip


def glossary_section(shown: Sequence[Section]) -> Section:
    """The words of the glossary that stand in the sections shown.

    Examples
    --------
    >>> shown = [Section("a", "A", paragraphs=["The Kendall correlation is 0.4."])]
    >>> [row[0] for row in glossary_section(shown).tables[0].rows]
    ['Kendall correlation']
    """
    said = "\n".join(_words(shown))
    rows = [[word, meaning] for word, pattern, meaning in TERMS if re.search(pattern, said)]
    table = TableView("Words used in this report", ["Word", "Meaning"], rows, numeric_from=2)
    return Section("glossary", "Glossary", tables=[table])


def _words(sections: Sequence[Section]) -> Iterator[str]:
    for section in sections:
        yield section.title
        yield section.headline
        yield from (*section.paragraphs, *section.items, *section.notes)
        yield from (figure.caption for figure in section.figures)
        for table in section.tables:
            yield table.caption
            yield from table.headers
            yield from (cell for row in table.rows for cell in row)
