"""Pure array mathematics: no trials, no estimators, no input or output."""
