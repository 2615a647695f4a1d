"""Tagging products with text, pictures and people: a library that knows nothing of Django. See README.md."""
