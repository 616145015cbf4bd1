"""What a sweep declares, read from YAML and checked."""
