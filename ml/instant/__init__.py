"""The instant tier: refit and rescore in about a second, without torch."""
