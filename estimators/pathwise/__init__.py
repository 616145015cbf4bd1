"""Estimators that backpropagate through f: a one-hot sample with a gradient attached."""
