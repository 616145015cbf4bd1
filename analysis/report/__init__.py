"""A sweep as one HTML page that needs nothing else: tables, figures, status, pictures, how to do it again."""

from analysis.report.collection import report

__all__ = ["report"]
