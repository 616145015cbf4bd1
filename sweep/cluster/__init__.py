"""Where packs train: the Ray cluster and what its nodes must have."""
