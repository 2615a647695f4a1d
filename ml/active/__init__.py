"""What to ask next: pure functions of a view of the pool."""
