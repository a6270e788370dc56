"""The report: one self-contained page from plain results, its figures and its sentences."""

from tauhat.report.render import render_fragment, render_html
from tauhat.report.view import ReportInput

__all__ = ["ReportInput", "render_fragment", "render_html"]
