"""The command line: `tauhat run`, `check`, `demo`, `estimators`."""

from tauhat.cli.app import main

__all__ = ["main"]
