"""Fitted models as one file, without pickle."""

from tauhat.saving.model_file import load, save

__all__ = ["load", "save"]
