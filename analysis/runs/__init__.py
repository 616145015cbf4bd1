"""The tracking store as frames: members and histories."""
