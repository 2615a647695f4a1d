"""The plan of a training run: every choice that shapes the result, frozen, readable and checked before work starts.

A plan is a flat JSON object. ``{"preset": "quick", "epochs": 20}`` is one too: a preset with changes. Its fields lie by
noun in ``ml.training.plan_fields``; here stands what they may not be together, and how plans are read and written.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ml.training.plan_fields import (
    CATALOGUE,
    LSTM,
    NO_PICTURES,
    NO_TEXT,
    PACKAGED,
    SMALL,
    Changes,
    Continual,
    LittleData,
    Losses,
    Machine,
    Pictures,
    PlanError,
    Pretraining,
    Smaller,
    Spans,
    Start,
    Steps,
    Tuning,
    Writing,
    check,
    typed,
)

__all__ = ["CATALOGUE", "LSTM", "NO_PICTURES", "NO_TEXT", "PACKAGED", "PRESETS", "SMALL", "Plan", "PlanError", "preset"]

LAST = re.compile(r"all but last (\d+)")


@dataclass(frozen=True)
class Plan(
    # the last comes first in the order of fields
    Machine, Spans, Writing, Pretraining, Smaller, Continual, LittleData, Changes, Tuning, Losses, Steps, Pictures, Start,
):  # fmt: skip
    """What to train, on what, and how. Raises PlanError when a field is out of its limits."""

    def __post_init__(self) -> None:
        for spec in fields(self):
            check(spec, getattr(self, spec.name))
        self._check_tuning()
        self._check_spans()
        self._check_base()
        self._check_pictures()

    def _check_tuning(self) -> None:
        if self.freeze not in ("none", "embeddings", "encoder") and not LAST.fullmatch(self.freeze):
            raise PlanError(
                f"freeze: {self.freeze!r} is not one of 'none', 'embeddings', 'encoder', 'all but last N' (N a number)"
            )
        if self.adversarial and (self.tuning != "full" or self.freeze != "none"):
            raise PlanError("adversarial: moves word vectors that are trained, so tuning must be 'full', freeze 'none'")
        if self.masked_replace and not self.pretrain_steps:
            raise PlanError("masked_replace: asks the masked head that pre-training leaves; set pretrain_steps too")
        if self.members > 1 and self.combine == "scores" and (self.pruned or self.tuning in ("adapters", "prefix")):
            raise PlanError(
                "combine: 'scores' goes with neither pruning nor parts that are not folded in; use 'weights'"
            )
        if self.contrastive_steps and self.freeze == "encoder":
            raise PlanError("contrastive_steps: move the encoder, which freeze 'encoder' holds still")
        if self.generator_weight and (self.teacher or self.spans != "none"):
            raise PlanError("generator_weight: goes with neither a teacher nor spans; set it to 0")
        if self.pseudo_rounds and (self.teacher or self.spans != "none"):
            raise PlanError("pseudo_rounds: go with neither a teacher, who answers already, nor spans; set them to 0")
        if self.pseudo_rounds and self.tuning in ("adapters", "prefix"):
            raise PlanError("pseudo_rounds: go on from weights, into which adapters and prefixes are not folded")
        if self.pruned and self.tuning != "full":
            raise PlanError("prune_heads, prune_neurons: parts of weights that stay frozen; tuning must be 'full'")

    def _check_spans(self) -> None:
        told = self.tag_weight != 1.0 or self.span_layer != "softmax" or self.value_swap
        if self.spans == "none" and told:
            raise PlanError(
                "spans: 'none', so tag_weight, span_layer and value_swap say nothing; choose 'marked' or 'weak'"
            )
        if self.spans != "none" and self.teacher:
            raise PlanError("spans: a teacher teaches tags alone; set spans to 'none', or leave teacher empty")
        if self.spans != "none" and self.augments:
            raise PlanError("spans: goes with no augmentation but value_swap, which knows where the words move to")
        if self.spans != "none" and not self.span_weight:
            raise PlanError("span_weight: 0 learns no spans; set spans to 'none' instead")

    def _check_base(self) -> None:
        if self.width % 64:
            raise PlanError(f"width: {self.width} is not a multiple of 64")
        if not self.base.strip():
            raise PlanError(f"base: empty; use '{PACKAGED}', '{CATALOGUE}' or the path of a local checkpoint")
        if self.base in (CATALOGUE, LSTM) and self.keep_blocks:
            raise PlanError("keep_blocks: an encoder made from the catalogue has as many as 'layers' says")
        if self.generation_base.strip() in ("", PACKAGED):
            raise PlanError(
                f"generation_base: {self.generation_base!r} writes no text; use '{CATALOGUE}' or the path of a T5 or BART"
            )
        if self.base == LSTM and (self.pruned or self.tuning != "full"):
            raise PlanError(
                f"base: '{LSTM}' has no linear layers to adapt, no heads and no feed-forward neurons to prune; tuning must "
                "be 'full', prune_heads and prune_neurons 0"
            )
        if self.base == CATALOGUE and not self.pretrain_steps:
            raise PlanError(
                f"pretrain_steps: 0 with base '{CATALOGUE}' would fine-tune random weights; 2000 is a start, "
                "or take the preset 'pretrain-first'"
            )

    def _check_pictures(self) -> None:
        if not self.pictures.strip():
            raise PlanError(f"pictures: empty; use '{NO_PICTURES}', '{SMALL}' or the path of a local checkpoint")
        if self.pictures == SMALL and self.picture_freeze != "none":
            raise PlanError(
                f"picture_freeze: '{self.picture_freeze}' with pictures '{SMALL}' would keep random weights"
            )
        alone = {
            "spans": self.spans != "none", "members": self.members > 1, "prune_heads": self.pruned,
            "token_drop": self.augments, "tuning": self.tuning in ("adapters", "prefix"),
            "contrastive_steps": self.contrastive_steps > 0, "generator_weight": self.generator_weight > 0,
        }  # fmt: skip
        for name, chosen in alone.items():
            if chosen and self.pictures != NO_PICTURES:
                raise PlanError(f"{name}: is for an encoder of text alone, and pictures is {self.pictures!r}; take one")
        if self.base != NO_TEXT:
            return
        if self.pictures == NO_PICTURES:
            raise PlanError(f"base: '{NO_TEXT}' without pictures leaves nothing to read; set pictures to '{SMALL}'")
        still = {"pretrain_steps": 0, "adversarial": 0.0, "tuning": "full", "freeze": "none", "keep_blocks": 0}
        for name, value in still.items():
            if getattr(self, name) != value:
                raise PlanError(f"{name}: is about text, and base '{NO_TEXT}' reads none; it must be {value!r}")

    @property
    def last_blocks(self) -> int | None:
        """How many of the last blocks train; None when ``freeze`` does not speak of blocks."""
        found = LAST.fullmatch(self.freeze)
        return int(found[1]) if found else None

    @property
    def augments(self) -> bool:
        return bool(self.token_drop or self.synonym_swap or self.shuffle_fields or self.masked_replace)

    @property
    def pruned(self) -> bool:
        return bool(self.prune_heads or self.prune_neurons)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The inverse of :meth:`to_json`; fields left out take their default, or the value of the ``preset`` named.

        Raises PlanError naming the first field that is unknown, of the wrong type or out of its limits.
        """
        if not isinstance(data, Mapping):
            raise PlanError(f"a plan is a JSON object of fields, not {type(data).__name__}")
        rest = dict(data)
        chosen = rest.pop("preset", None)
        known = {spec.name: spec for spec in fields(cls)}
        for name in rest:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"fields are {', '.join(known)}"
                raise PlanError(f"{name}: not a field of a plan; {hint}")
        if chosen is not None:
            rest = {**_preset_fields(chosen), **rest}
        return cls(**{name: typed(known[name], value) for name, value in rest.items()})

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Raises PlanError when the file is not a plan."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise PlanError(f"{path.name}: not a plan in JSON ({error})") from error


PRESETS: dict[str, dict[str, Any]] = {
    # minutes on two cores for a few hundred products
    "quick": {"freeze": "embeddings", "epochs": 12, "patience": 3},
    # everything trains, slower and longer
    "thorough": {"epochs": 40, "patience": 8, "learning_rate": 5e-5, "max_length": 256},
    # for languages that no checkpoint at hand speaks: tokenizer and encoder come from the catalogue itself
    "pretrain-first": {"base": CATALOGUE, "pretrain_steps": 2000, "epochs": 40, "patience": 8, "learning_rate": 3e-4},
}


def preset(name: str) -> Plan:
    """Raises PlanError for a name that is not in PRESETS."""
    return Plan.from_json({"preset": name})


def _preset_fields(name: Any) -> dict[str, Any]:
    if not isinstance(name, str) or name not in PRESETS:
        raise PlanError(f"preset: {name!r} is not one of {', '.join(PRESETS)}")
    return PRESETS[name]
