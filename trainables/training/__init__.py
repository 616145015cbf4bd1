"""A pack in training: epochs, checkpoints, pictures, and the process around them."""
