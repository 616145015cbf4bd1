"""What is to be done: members, packs, and what they will cost."""
