"""The machine: workers, progress, files that appear whole or not at all, engines imported late."""
