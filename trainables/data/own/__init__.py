"""Data sets of users: arrays out of files and functions of theirs."""
