"""What happens while packs train: Tune's side, and the writes to the store."""
