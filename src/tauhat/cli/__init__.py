"""The command line: `tauhat run`, `check`, `demo`, `estimators`, `power`, `simulate`, `study`."""

from tauhat.cli.app import main

__all__ = ["main"]
