"""Results that travel: members that come into a store from a file or from another store, and deletion."""
