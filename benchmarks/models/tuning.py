"""What a plan can say of losses, tuning, optimisers, schedules, augmentation and ensembles, each beside the plain plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.models._runs import CHINESE, ENGLISH, OWN, ablations
from benchmarks.models.table import Row

LOSSES: dict[str, dict[str, Any]] = {
    "focal loss": {"loss": "focal"},
    "asymmetric loss": {"loss": "asymmetric"},
    "label smoothing 0.1": {"label_smoothing": 0.1},
}
AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "token drop 0.1": {"token_drop": 0.1},
    "fields shuffled": {"shuffle_fields": 0.5},
}
FEW_NUMBERS: dict[str, dict[str, Any]] = {  # rates that suit few numbers; a checkpoint's own are ten times smaller
    "LoRA": {"tuning": "lora", "learning_rate": 1e-3},
    "AdaLoRA": {"tuning": "adalora", "learning_rate": 1e-3},
    "IA3": {"tuning": "ia3", "learning_rate": 5e-3},
    "adapters": {"tuning": "adapters", "rank": 32, "learning_rate": 1e-3},
    "prefix": {"tuning": "prefix", "rank": 16, "learning_rate": 5e-3},
}
ON_CHINESE: dict[str, dict[str, Any]] = {
    **LOSSES,
    **AUGMENTATIONS,
    "masked replacement 0.1": {"masked_replace": 0.1},
    "3 members, weights": {"members": 3},
    "3 members, scores": {"members": 3, "combine": "scores"},
    "cosine schedule": {"schedule": "cosine"},
    "a third of heads and neurons pruned": {"prune_heads": 0.34, "prune_neurons": 0.34},
    "Adafactor": {"optimiser": "adafactor"},
    "SGD": {"optimiser": "sgd", "learning_rate": 0.1, "head_learning_rate": 1.0},
    "FGM 0.3": {"adversarial": 0.3},
    "encoder frozen": {"freeze": "encoder"},
}
ON_ENGLISH: dict[str, dict[str, Any]] = {  # its plain plan leaves embeddings as they are
    **FEW_NUMBERS,
    "encoder frozen": {"freeze": "encoder"},
    **LOSSES,
    "embeddings train": {"freeze": "none"},
    **AUGMENTATIONS,
    "FGM 1.0, embeddings train": {"adversarial": 1.0, "freeze": "none"},
}
ON_OWN: dict[str, dict[str, Any]] = {  # the one catalogue whose taxonomy names synonyms
    "synonyms swapped": {"synonym_swap": 0.5},
}


def rows(once: Any, seeds: int = 5) -> Iterator[Row]:
    numbers = range(1, seeds + 1)
    yield from ablations(once, ON_CHINESE, numbers, [CHINESE])
    yield from ablations(once, ON_ENGLISH, numbers, [ENGLISH])
    yield from ablations(once, ON_OWN, numbers, [OWN])
