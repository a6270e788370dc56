"""Write a fitted model to a file, and read it back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tauhat.data import TrialData
from tauhat.errors import TrialError
from tauhat.fitting.cate_estimator import CateEstimator
from tauhat.runtime.files import PatientLevelBytes, write_files
from tauhat.runtime.provenance import package_versions
from tauhat.saving.archive import Contents, pack, spoilt, unpack
from tauhat.saving.decode import Decoder
from tauhat.saving.encode import Encoder
from tauhat.saving.rows import RowsLeftOut

_MANIFEST_KEYS = {"format", "version", "arrays", "texts", "written_by", "with_data", "model"}
_PERSONS_TRIED = 20


def save(model: CateEstimator, path: str | os.PathLike[str], *, with_data: bool = True) -> None:
    """Write a fitted estimator to a file that `load` reads back.

    The file is a zip archive of a JSON manifest, numeric arrays and the texts
    of the tree engines; no pickle. It appears whole or not at all. The same
    model gives the same bytes.

    Only its owner can read it. **By default the file holds the rows of the
    trial** (covariates, outcome, arm, clusters), which `CateEstimator.effect_interval` and
    `CateEstimator.reference_posterior` need: keep it where the data may be kept.
    Without them it still holds what the model took from single persons, such as
    thresholds, knots and the smallest and largest covariates.

    Parameters
    ----------
    model
        A fitted estimator: a learner or an ensemble. One that holds models of
        other libraries cannot be saved, neither estimators of effects
        (`tauhat.ensembles.ExternalEstimator`) nor outcome models
        (`tauhat.ScikitLearnModel`).
    path
        The file, replaced when it is there.
    with_data
        False leaves the rows of the trial out. The loaded model gives effects,
        and posterior draws if it has them; what needs rows raises a `TrialError`.

    Raises
    ------
    TrialError
        If the model is not fitted, has a part without a safe form on disk (the
        message names the member), or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from tauhat.learners import LinearMixedEffect
    >>> X, A = np.random.default_rng(1).normal(size=(40, 2)), np.tile([0, 1], 20)
    >>> model = LinearMixedEffect().fit(X, X[:, 0] * A, treatment=A)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, Path(folder) / "model.tauhat")
    ...     again = load(Path(folder) / "model.tauhat")
    >>> bool((again.effect(X) == model.effect(X)).all())
    True
    """
    if not isinstance(model, CateEstimator):
        raise TrialError(
            f"save takes a fitted estimator of effects, got {type(model).__name__}; "
            "of an analysis, save one of its models; of several contrasts, fitted.of(contrast)"
        )
    if not hasattr(model, "trial_data_"):
        raise TrialError(f"this {model.known_as} is not fitted: fit it before saving it")
    encoder = Encoder(with_data=with_data)
    node = encoder.node(model, type(model).__name__)
    manifest = {"written_by": package_versions(), "with_data": with_data, "model": node}
    target = Path(path)
    contents = Contents(manifest, encoder.arrays, encoder.texts)
    write_files(target.parent, {target.name: PatientLevelBytes(pack(contents))})


def load(path: str | os.PathLike[str]) -> CateEstimator:
    """Read a model that `save` wrote.

    Effects are those of the saved model to the last bit on the same versions of
    the libraries. Files may come from strangers: no code is taken from them. A
    file can only name estimators, their parts and attributes that are in tauhat,
    and its numbers are read as numbers. What is read of it is bounded, whatever
    it says of its sizes (512 MiB, unpacked 2 GiB and a hundred times the file).
    A loaded model has ``n_jobs=1``, whatever the file says.
    The compiled engines read trees that are written anew from the checked ones.
    What loads gives finite effects on rows of its trial; whether they are right,
    no check can tell.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    CateEstimator
        Fitted.

    Raises
    ------
    TrialError
        If the file is missing, no file of `save`, of another version or damaged.

    Examples
    --------
    >>> load("no_such.tauhat")
    Traceback (most recent call last):
    tauhat.errors.TrialError: cannot read no_such.tauhat: No such file or directory
    """
    source = Path(path)
    contents = unpack(source)
    try:
        if set(contents.manifest) != _MANIFEST_KEYS:
            raise ValueError("its manifest has or lacks a key")
        model: Any = Decoder(contents).model(contents.manifest["model"])
        _check_works(model)
    except Exception as error:
        # A spoilt file can fail anywhere: all of it means the same to the user.
        raise spoilt(source, f"{type(error).__name__}: {error}") from error
    return model  # type: ignore[no-any-return]


def _check_works(model: Any) -> None:
    """Raise unless a model is an estimator that gives an effect."""
    if not isinstance(model, CateEstimator):
        raise ValueError("it holds no estimator of effects")
    if not isinstance(model.trial_data_, (TrialData, RowsLeftOut)):
        raise ValueError("it holds no trial")
    n_columns = model.n_features_in_
    if type(n_columns) is not int or not 0 < n_columns == len(model.trial_data_.feature_names):
        raise ValueError("its columns do not agree with its trial")
    persons = np.zeros((1, n_columns))
    if isinstance(model.trial_data_, TrialData):
        persons = np.vstack([persons, model.trial_data_.X[:_PERSONS_TRIED]])
    with np.errstate(all="ignore"):
        effect = model.predict_effect(persons)
    if np.shape(effect) != (len(persons),) or not np.isfinite(effect).all():
        raise ValueError("it gives no effect")
