"""Searches: cells chosen by Optuna as results come in, trained by the same packs as a grid's.

Nothing but `searcher` and `halving` needs Ray; what a search does can be tested without it.
"""
