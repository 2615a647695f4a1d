"""The door to ``ml``: rows to Examples, predictions to suggestions. The only importer of ``ml`` in the house.

Nothing here writes to the database, and nothing here imports torch, directly or through what it imports.
"""

from annotations.bridge.encoders import sentence_encoder_ready
from annotations.bridge.full import checked_plan, comparison, pack, plan_presets, take_apart, write_job_directory
from annotations.bridge.instant import Fitted, Ranked, fit_instant, prune, rank
from annotations.bridge.suggesting import predictor, serving, suggest

__all__ = [
    "Fitted",
    "Ranked",
    "checked_plan",
    "comparison",
    "fit_instant",
    "pack",
    "plan_presets",
    "predictor",
    "prune",
    "rank",
    "sentence_encoder_ready",
    "serving",
    "suggest",
    "take_apart",
    "write_job_directory",
]
