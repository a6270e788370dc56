"""Rules that `Robust` learned, one file for each kind of trial."""
