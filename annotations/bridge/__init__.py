"""The door to ``ml``: rows to Examples, predictions to suggestions. The only importer of ``ml`` in the house.

Nothing here writes to the database, and nothing here imports torch, directly or through what it imports.
"""

from annotations.bridge.clashes import clashes, reads_both
from annotations.bridge.drafts import write_draft_directory
from annotations.bridge.drift import look_for_drift
from annotations.bridge.encoders import prepare
from annotations.bridge.full import comparison, pack, take_apart, write_job_directory
from annotations.bridge.held import forget
from annotations.bridge.instant import Calibrated, Fitted, calibrate_instant, fit_instant, prune
from annotations.bridge.llm import Asker, Asking, EndpointRefused
from annotations.bridge.order import Order, hold_back, latest, rank
from annotations.bridge.plans import PlanField, checked_plan, plan_fields, plan_without
from annotations.bridge.proof import measure_learning
from annotations.bridge.relations import Relation, learned_relations
from annotations.bridge.rows import encoders_root
from annotations.bridge.searching import (
    SearchField,
    checked_search,
    proposed,
    read_space,
    search_fields,
    worth_going_on,
)
from annotations.bridge.second_look import doubted_decisions
from annotations.bridge.shelf import files_here, is_there
from annotations.bridge.shelf import put as share
from annotations.bridge.shelf import remove as take_off
from annotations.bridge.suggesting import predictor, serving, suggest
from annotations.bridge.values import open_values

__all__ = [
    "Asker",
    "Asking",
    "Calibrated",
    "EndpointRefused",
    "Fitted",
    "Order",
    "PlanField",
    "Relation",
    "SearchField",
    "calibrate_instant",
    "checked_plan",
    "checked_search",
    "clashes",
    "comparison",
    "doubted_decisions",
    "encoders_root",
    "files_here",
    "fit_instant",
    "forget",
    "hold_back",
    "is_there",
    "latest",
    "learned_relations",
    "look_for_drift",
    "measure_learning",
    "open_values",
    "pack",
    "plan_fields",
    "plan_without",
    "predictor",
    "prepare",
    "proposed",
    "prune",
    "rank",
    "read_space",
    "reads_both",
    "search_fields",
    "serving",
    "share",
    "suggest",
    "take_apart",
    "take_off",
    "worth_going_on",
    "write_draft_directory",
    "write_job_directory",
]
