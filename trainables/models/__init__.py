"""Networks and objectives of a pack, with their gradients and optimisers."""
