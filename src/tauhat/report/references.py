"""The literature that paragraphs for a paper cite, by a short key."""

from __future__ import annotations

from collections.abc import Mapping

SOURCES: Mapping[str, str] = {
    "jackknife": "F. Li, Tong, Fang, Cheng, Kahan, Wang (2025). Model-robust standardization in "
    "cluster-randomized trials. Statistics in Medicine.",
    "periods": "Fang, Wang, Heagerty, Wang, F. Li (2026). Model-robust standardization in "
    "longitudinal cluster-randomized trials. arXiv 2507.17190.",
    "baseline": "Hooper, Forbes, Hemming, Takeda, Beresford (2018). Analysis of cluster randomised "
    "trials with an assessment of outcome at baseline. BMJ 360:k1121.",
    "consort-wedge": "Hemming and others (2018). Reporting of stepped wedge cluster randomised "
    "trials: extension of the CONSORT 2010 statement with explanation and elaboration. BMJ "
    "363:k1614.",
    "consort-crossover": "McKenzie and others (2025). Reporting of cluster randomised crossover "
    "trials: extension of the CONSORT 2010 statement with explanation and elaboration. BMJ "
    "388:e080472.",
    "westfall": "Westfall, Young (1993). Resampling-based multiple testing. Wiley.",
    "cr2": "Pustejovsky, Tipton (2018). Small-sample methods for cluster-robust variance "
    "estimation and hypothesis testing in fixed effects models. Journal of Business & Economic "
    "Statistics 36:672-683.",
    "holm": "Holm (1979). A simple sequentially rejective multiple test procedure. Scandinavian "
    "Journal of Statistics 6:65-70.",
    "gates": "Chernozhukov, Demirer, Duflo, Fernandez-Val (2018). Generic machine learning "
    "inference on heterogeneous treatment effects in randomized experiments. NBER 24678.",
    "rate": "Yadlowsky, Fleming, Shah, Brunskill, Wager (2025). Evaluating treatment "
    "prioritization rules via rank-weighted average treatment effects. Journal of the "
    "American Statistical Association 120:38-51.",
    "consort-cluster": "Campbell, Piaggio, Elbourne, Altman (2012). Consort 2010 statement: "
    "extension to cluster randomised trials. BMJ 345:e5661.",
    "consort": "Schulz, Altman, Moher (2010). CONSORT 2010 statement. BMJ 340:c332.",
    "iceman": "Schandelmaier and others (2020). Development of the Instrument to assess the "
    "Credibility of Effect Modification Analyses (ICEMAN). CMAJ 192:E901-E906.",
    "path": "Kent and others (2020). The Predictive Approaches to Treatment effect Heterogeneity "
    "(PATH) statement. Annals of Internal Medicine 172:35-45.",
}
