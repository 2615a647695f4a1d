"""The nouns. Fields, constraints and adjectives on QuerySets; no request, no tasks, no writes to other nouns."""

from annotations.models.audit import AuditEvent, Event
from annotations.models.catalogue import Catalogue, ImportBatch, ImportProblem, Membership, Picture, Product, Role
from annotations.models.comments import Comment, Mention
from annotations.models.exports import Change, ExportBatch
from annotations.models.jobs import Job, WorkerBeat
from annotations.models.people import ApiToken, LoginAttempt, User
from annotations.models.review import (
    QUEUE_ORDER,
    Band,
    ChosenEvidence,
    Decision,
    FacetCompletion,
    Input,
    ProductTag,
    QueueItem,
    Reason,
    Suggestion,
    Verdict,
)
from annotations.models.taxonomy import Facet, Tag, TagRequest, TaxonomyRevision
from annotations.models.training import ModelVersion, TrainingRun

__all__ = [
    "QUEUE_ORDER",
    "ApiToken",
    "AuditEvent",
    "Band",
    "Catalogue",
    "Change",
    "ChosenEvidence",
    "Comment",
    "Decision",
    "Event",
    "ExportBatch",
    "Facet",
    "FacetCompletion",
    "ImportBatch",
    "ImportProblem",
    "Input",
    "Job",
    "LoginAttempt",
    "Membership",
    "Mention",
    "ModelVersion",
    "Picture",
    "Product",
    "ProductTag",
    "QueueItem",
    "Reason",
    "Role",
    "Suggestion",
    "Tag",
    "TagRequest",
    "TaxonomyRevision",
    "TrainingRun",
    "User",
    "Verdict",
    "WorkerBeat",
]
