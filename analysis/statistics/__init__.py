"""Means, spreads, intervals and tests over seeds."""
