"""The nouns. Fields, constraints and adjectives on QuerySets; no request, no tasks, no writes to other nouns."""

from annotations.models.audit import AuditEvent, Event
from annotations.models.catalogue import (
    SET_ASIDE_BY_CHECK,
    SET_ASIDE_BY_PERSON,
    Catalogue,
    ImportBatch,
    ImportProblem,
    Membership,
    Picture,
    Product,
    Role,
    SetAside,
)
from annotations.models.clash import Clash
from annotations.models.comments import Comment, Mention
from annotations.models.drafts import Draft
from annotations.models.exports import Change, ExportBatch
from annotations.models.jobs import Job, WorkerBeat
from annotations.models.language_model import LanguageModel, LanguageModelAnswer
from annotations.models.panels import Answer, AssignmentRule, GoldItem, Turn
from annotations.models.people import ApiToken, Identity, LoginAttempt, RecoveryCode, SecondStep, User
from annotations.models.proposals import DeclinedProposal, FoundProposals
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
    Voice,
)
from annotations.models.safety import WordRule
from annotations.models.searches import PlanPreset, PlanSearch, SearchTrial
from annotations.models.sources import ImportSource
from annotations.models.taxonomy import Facet, SplitItem, Tag, TagRequest, TagWord, TaxonomyRevision
from annotations.models.training import (
    DriftAlert,
    FormerSuggestions,
    Judgement,
    ModelVersion,
    TrainingRun,
    TrainingSchedule,
)
from annotations.models.upkeep import Boilerplate, BulkRun, FamilyProposal, Original, RowChange, SavedFilter

__all__ = [
    "QUEUE_ORDER",
    "SET_ASIDE_BY_CHECK",
    "SET_ASIDE_BY_PERSON",
    "Answer",
    "ApiToken",
    "AssignmentRule",
    "AuditEvent",
    "Band",
    "Boilerplate",
    "BulkRun",
    "Catalogue",
    "Change",
    "ChosenEvidence",
    "Clash",
    "Comment",
    "Decision",
    "DeclinedProposal",
    "Draft",
    "DriftAlert",
    "Event",
    "ExportBatch",
    "Facet",
    "FacetCompletion",
    "FamilyProposal",
    "FormerSuggestions",
    "FoundProposals",
    "GoldItem",
    "Identity",
    "ImportBatch",
    "ImportProblem",
    "ImportSource",
    "Input",
    "Job",
    "Judgement",
    "LanguageModel",
    "LanguageModelAnswer",
    "LoginAttempt",
    "Membership",
    "Mention",
    "ModelVersion",
    "Original",
    "Picture",
    "PlanPreset",
    "PlanSearch",
    "Product",
    "ProductTag",
    "QueueItem",
    "Reason",
    "RecoveryCode",
    "Role",
    "RowChange",
    "SavedFilter",
    "SearchTrial",
    "SecondStep",
    "SetAside",
    "SplitItem",
    "Suggestion",
    "Tag",
    "TagRequest",
    "TagWord",
    "TaxonomyRevision",
    "TrainingRun",
    "TrainingSchedule",
    "Turn",
    "User",
    "Verdict",
    "Voice",
    "WordRule",
    "WorkerBeat",
]
