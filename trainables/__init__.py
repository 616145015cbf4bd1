"""What a trial does: the run schema, the data, the networks, packs of members and their training loops."""
