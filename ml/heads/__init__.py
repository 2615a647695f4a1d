"""Heads: one task each, with its targets, its loss and its decoding. They need torch."""
