"""A table in each of its formats."""
