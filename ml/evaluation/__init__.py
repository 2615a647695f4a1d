"""Measures, intervals and reports. No torch."""
