"""The command line, which joins sweep and analysis. Results go to stdout, messages to stderr."""

from sweep.cli.main import main

__all__ = ["main"]
