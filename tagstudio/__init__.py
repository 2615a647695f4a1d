"""Wiring only: settings, Celery, URLs, health. No product words, no rules."""
