"""What the tracking store holds of a sweep, and who may work on it."""
