"""Omniglot: its files, whichever source they come from, read, split and kept."""
