"""MNIST and Fashion-MNIST: files in the IDX format, and where they come from."""
