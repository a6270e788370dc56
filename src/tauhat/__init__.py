"""Who benefits from this treatment? Effects for individuals in randomized trials."""

__version__ = "0.1.0"
