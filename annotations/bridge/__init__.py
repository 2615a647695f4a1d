"""The door to ``ml``: rows to Examples, predictions to suggestions. The only importer of ``ml`` in the house.

Nothing here writes to the database, and nothing here imports torch, directly or through what it imports.
"""

from annotations.bridge.encoders import prepare
from annotations.bridge.full import checked_plan, comparison, pack, plan_presets, take_apart, write_job_directory
from annotations.bridge.instant import Fitted, fit_instant, prune
from annotations.bridge.order import Order, hold_back, latest, rank
from annotations.bridge.proof import measure_learning
from annotations.bridge.rows import encoders_root
from annotations.bridge.second_look import doubted_decisions
from annotations.bridge.suggesting import predictor, serving, suggest

__all__ = [
    "Fitted",
    "Order",
    "checked_plan",
    "comparison",
    "doubted_decisions",
    "encoders_root",
    "fit_instant",
    "hold_back",
    "latest",
    "measure_learning",
    "pack",
    "plan_presets",
    "predictor",
    "prepare",
    "prune",
    "rank",
    "serving",
    "suggest",
    "take_apart",
    "write_job_directory",
]
