"""The command line, which joins sweep and analysis. Results go to stdout, messages to stderr."""

from sweep.cli.main import console_script, main

__all__ = ["console_script", "main"]
