"""Findings of the design check, one kind a file."""
