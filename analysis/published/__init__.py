"""What the papers print, what is known to be wrong with it, and ours beside it."""
