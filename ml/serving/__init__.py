"""Answering with a bundle: calibrated tags, bands and evidence. No torch."""
