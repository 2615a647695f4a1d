"""What each option of ``ml`` is worth, one module a noun: see ``table.py`` and ``python -m benchmarks.models --help``."""
