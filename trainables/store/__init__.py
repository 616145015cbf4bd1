"""The tracking store as it is read: by sweep and by analysis, from a database."""
