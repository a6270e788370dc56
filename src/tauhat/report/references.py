"""The literature that paragraphs for a paper cite, by authors and year as they are cited."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: In the order of a list of references.
SOURCES: Mapping[str, str] = {
    "Athey and Imbens 2016": "Athey, Imbens (2016). Recursive partitioning for heterogeneous "
    "causal effects. PNAS 113:7353-7360.",
    "Athey, Tibshirani and Wager 2019": "Athey, Tibshirani, Wager (2019). Generalized random "
    "forests. Annals of Statistics 47:1148-1178.",
    "Breiman 2001": "Breiman (2001). Random forests. Machine Learning 45:5-32.",
    "Campbell and others 2012": "Campbell, Piaggio, Elbourne, Altman (2012). Consort 2010 "
    "statement: extension to cluster randomised trials. BMJ 345:e5661.",
    "Chernozhukov and others 2018": "Chernozhukov, Demirer, Duflo, Fernandez-Val (2018). Generic "
    "machine learning inference on heterogeneous treatment effects in randomized experiments. "
    "NBER 24678.",
    "Chipman, George and McCulloch 2010": "Chipman, George, McCulloch (2010). BART: Bayesian "
    "additive regression trees. Annals of Applied Statistics 4:266-298.",
    "Dalalyan and Tsybakov 2008": "Dalalyan, Tsybakov (2008). Aggregation by exponential "
    "weighting, sharp PAC-Bayesian bounds and sparsity. Machine Learning 72:39-61.",
    "Fang and others 2026": "Fang, Wang, Heagerty, Wang, F. Li (2026). Model-robust "
    "standardization in longitudinal cluster-randomized trials. arXiv 2507.17190.",
    "Friedman 2001": "Friedman (2001). Greedy function approximation: a gradient boosting "
    "machine. Annals of Statistics 29:1189-1232.",
    "Fujita, Tanaka, Kondo and Iwasawa 2020": "Fujita, Tanaka, Kondo, Iwasawa (2020). AGLM: a "
    "hybrid modeling method of GLM and data science techniques. Actuarial Colloquium Paris.",
    "Hahn, Murray and Carvalho 2020": "Hahn, Murray, Carvalho (2020). Bayesian regression tree "
    "models for causal inference. Bayesian Analysis 15:965-1056.",
    "Hajjem, Bellavance and Larocque 2014": "Hajjem, Bellavance, Larocque (2014). Mixed-effects "
    "random forest for clustered data. Journal of Statistical Computation and Simulation "
    "84:1313-1328.",
    "Han and Wu 2022": "Han, Wu (2022). Ensemble method for estimating individualized treatment "
    "effects. arXiv 2202.12445.",
    "Hemming and others 2018": "Hemming and others (2018). Reporting of stepped wedge cluster "
    "randomised trials: extension of the CONSORT 2010 statement with explanation and elaboration. "
    "BMJ 363:k1614.",
    "Holford 1980": "Holford (1980). The analysis of rates and of survivorship using log-linear "
    "models. Biometrics 36:299-305.",
    "Holm 1979": "Holm (1979). A simple sequentially rejective multiple test procedure. "
    "Scandinavian Journal of Statistics 6:65-70.",
    "Hooper and others 2018": "Hooper, Forbes, Hemming, Takeda, Beresford (2018). Analysis of "
    "cluster randomised trials with an assessment of outcome at baseline. BMJ 360:k1121.",
    "Kennedy 2023": "Kennedy (2023). Towards optimal doubly robust estimation of heterogeneous "
    "causal effects. Electronic Journal of Statistics 17:3008-3049.",
    "Kent and others 2020": "Kent and others (2020). The Predictive Approaches to Treatment effect "
    "Heterogeneity (PATH) statement. Annals of Internal Medicine 172:35-45.",
    "Künzel and others 2019": "Künzel, Sekhon, Bickel, Yu (2019). Metalearners for estimating "
    "heterogeneous treatment effects using machine learning. PNAS 116:4156-4165.",
    "Laird and Olivier 1981": "Laird, Olivier (1981). Covariance analysis of censored survival "
    "data using log-linear analysis techniques. Journal of the American Statistical Association "
    "76:231-240.",
    "Lan and Syrgkanis 2024": "Lan, Syrgkanis (2024). Causal Q-aggregation for CATE model "
    "selection. AISTATS, PMLR 238.",
    "Li and others 2025": "F. Li, Tong, Fang, Cheng, Kahan, Wang (2025). Model-robust "
    "standardization in cluster-randomized trials. Statistics in Medicine.",
    "Machluf and others 2024": "Machluf, Frostig, Shoham, Milo, Berkman, Pryluk (2024). Robust "
    "CATE estimation using novel ensemble methods. arXiv 2407.03690.",
    "McKenzie and others 2025": "McKenzie and others (2025). Reporting of cluster randomised "
    "crossover trials: extension of the CONSORT 2010 statement with explanation and elaboration. "
    "BMJ 388:e080472.",
    "Nie and Wager 2021": "Nie, Wager (2021). Quasi-oracle estimation of heterogeneous treatment "
    "effects. Biometrika 108:299-319.",
    "Pustejovsky and Tipton 2018": "Pustejovsky, Tipton (2018). Small-sample methods for "
    "cluster-robust variance estimation and hypothesis testing in fixed effects models. Journal of "
    "Business & Economic Statistics 36:672-683.",
    "Salditt, Humberg and Nestler 2023": "Salditt, Humberg, Nestler (2023). Gradient tree boosting "
    "for hierarchical data. Multivariate Behavioral Research 58:911-937.",
    "Schandelmaier and others 2020": "Schandelmaier and others (2020). Development of the "
    "Instrument to assess the Credibility of Effect Modification Analyses (ICEMAN). CMAJ "
    "192:E901-E906.",
    "Schelldorfer, Bühlmann and van de Geer 2011": "Schelldorfer, Bühlmann, van de Geer (2011). "
    "Estimation for high-dimensional linear mixed-effects models using l1-penalization. "
    "Scandinavian Journal of Statistics 38:197-214.",
    "Schulz and others 2010": "Schulz, Altman, Moher (2010). CONSORT 2010 statement. BMJ 340:c332.",
    "Sigrist 2022": "Sigrist (2022). Gaussian process boosting. Journal of Machine Learning "
    "Research 23(232).",
    "Simpson and others 2017": "Simpson, Rue, Riebler, Martins, Sørbye (2017). Penalising model "
    "component complexity: a principled, practical approach to constructing priors. Statistical "
    "Science 32:1-28.",
    "Westfall and Young 1993": "Westfall, Young (1993). Resampling-based multiple testing. Wiley.",
    "Wolpert 1992": "Wolpert (1992). Stacked generalization. Neural Networks 5:241-259.",
    "Wood 2017": "Wood (2017). Generalized additive models: an introduction with R, second "
    "edition. CRC Press.",
    "Yadlowsky and others 2025": "Yadlowsky, Fleming, Shah, Brunskill, Wager (2025). Evaluating "
    "treatment prioritization rules via rank-weighted average treatment effects. Journal of the "
    "American Statistical Association 120:38-51.",
    "Zou and Hastie 2005": "Zou, Hastie (2005). Regularization and variable selection via the "
    "elastic net. Journal of the Royal Statistical Society B 67:301-320.",
}


def cited_in(text: str) -> list[str]:
    """References of the sources that a text cites, the year in brackets or not.

    Examples
    --------
    >>> [found[:11] for found in cited_in("adjusted by Holm (1979), forests (Breiman 2001)")]
    ['Breiman (20', 'Holm (1979)']
    """
    return [reference for cited, reference in SOURCES.items() if _pattern(cited).search(text)]


def _pattern(cited: str) -> re.Pattern[str]:
    authors, _, year = cited.rpartition(" ")
    return re.compile(rf"(?<!\w){re.escape(authors)} \(?{year}\b")
