"""The plan of a training run: every choice that shapes the result, frozen, readable and checked before work starts.

A plan is a flat JSON object. ``{"preset": "quick", "epochs": 20}`` is one too: a preset with changes. Each field
carries its own explanation and limits, so that a form, a refusal and the documentation say the same.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

PACKAGED = "packaged-minilm"
CATALOGUE = "catalogue"
LAST = re.compile(r"all but last (\d+)")


class PlanError(ValueError):
    """A plan that cannot be followed; the message names the field and what it may be."""


def _choice(default: str, about: str, *choices: str) -> Any:
    return field(default=default, metadata={"about": about, "choices": choices})


def _number(default: float, about: str, low: float, high: float) -> Any:
    """A field between ``low`` and ``high``, both allowed; whole when the default is an int."""
    return field(default=default, metadata={"about": about, "low": low, "high": high})


def _text(default: str, about: str) -> Any:
    return field(default=default, metadata={"about": about})


@dataclass(frozen=True)
class Plan:
    """What to train, on what, and how. Raises PlanError when a field is out of its limits."""

    base: str = _text(
        PACKAGED,
        f"the encoder to start from: '{PACKAGED}' (English, comes with the offline-encoder extra), '{CATALOGUE}' (a "
        "small one pre-trained on the catalogue's own texts, any language) or the path of a local checkpoint",
    )
    seed: int = _number(1, "equal seeds give equal runs on the same device", 0, 2**31)
    max_length: int = _number(128, "tokens read of a product; the rest of its text is cut", 8, 8192)

    epochs: int = _number(12, "times each decided product is seen, unless stopped early", 1, 10_000)
    batch_size: int = _number(16, "examples in a step, or tokens when batch_unit says so", 1, 2**20)
    batch_unit: str = _choice("examples", "what batch_size counts", "examples", "tokens")
    learning_rate: float = _number(1e-4, "peak rate of the encoder's weights", 0.0, 1.0)
    head_learning_rate: float = _number(3e-3, "peak rate of the tag head, which starts from nothing", 0.0, 1.0)
    schedule: str = _choice("linear", "how the rate falls after warm-up", "linear", "cosine", "constant")
    warmup_share: float = _number(0.1, "share of all steps during which the rate rises from zero", 0.0, 0.9)
    weight_decay: float = _number(0.01, "decoupled weight decay of matrices (not of biases and norms)", 0.0, 1.0)
    clip_norm: float = _number(1.0, "gradients longer than this are shortened to it; 0 leaves them", 0.0, 1e6)
    dropout: float = _number(0.1, "share of activations dropped while training", 0.0, 0.9)
    label_smoothing: float = _number(0.0, "share of each answer moved towards 'not sure'", 0.0, 0.5)
    freeze: str = _text(
        "none", "weights left as they are: 'none', 'embeddings', 'all but last N' (N blocks train) or 'encoder'"
    )
    loss: str = _choice(
        "cross-entropy",
        "of facets with several values: 'focal' and 'asymmetric' look away from what is easily right, for rare tags",
        "cross-entropy", "focal", "asymmetric",
    )  # fmt: skip
    focus: float = _number(2.0, "how far those two look away (gamma)", 0.0, 10.0)
    adversarial: float = _number(
        0.0,
        "each step is taken again with word vectors moved by this much to where it hurts (FGM); 0 is off",
        0.0,
        10.0,
    )
    tuning: str = _choice(
        "full", "what is trained of the encoder: its weights, or adapters beside them that are folded in at the end",
        "full", "lora", "adalora", "ia3",
    )  # fmt: skip
    rank: int = _number(8, "rank of LoRA and AdaLoRA", 1, 256)
    patience: int = _number(3, "epochs without a better validation score before stopping; 0 never stops", 0, 10_000)
    validation_share: float = _number(0.15, "share of the families kept aside for early stopping", 0.01, 0.5)

    heldout_share: float = _number(
        0.2, "share of the families that no training ever reads, for the report; the same families every time", 0.0, 0.5
    )

    pretrain_steps: int = _number(0, "steps of masked-language modelling on all texts before fine-tuning", 0, 10**7)
    pretrain_learning_rate: float = _number(5e-4, "peak rate of those steps", 0.0, 1.0)
    pretrain_batch_tokens: int = _number(4096, "tokens in each of those steps", 64, 2**22)
    mask_share: float = _number(0.15, "share of tokens to guess while pre-training", 0.01, 0.9)
    vocabulary: int = _number(8000, "largest vocabulary of a tokenizer made from the catalogue", 200, 250_000)
    layers: int = _number(4, "blocks of an encoder made from the catalogue", 1, 48)
    width: int = _number(256, "width of an encoder made from the catalogue; a multiple of 64", 64, 2048)

    device: str = _choice("auto", "where to compute; auto takes a GPU when there is one", "auto", "cpu", "cuda")
    precision: str = _choice("auto", "auto is bf16 on a GPU that has it and fp32 elsewhere", "auto", "fp32", "bf16")
    threads: int = _number(0, "CPU threads; 0 leaves it to torch", 0, 1024)
    checkpoint_every_s: float = _number(60.0, "seconds between checkpoints: the most that a crash costs", 0.0, 86_400.0)

    def __post_init__(self) -> None:
        for spec in fields(self):
            _check(spec, getattr(self, spec.name))
        if self.freeze not in ("none", "embeddings", "encoder") and not LAST.fullmatch(self.freeze):
            raise PlanError(
                f"freeze: {self.freeze!r} is not one of 'none', 'embeddings', 'encoder', 'all but last N' (N a number)"
            )
        if self.adversarial and (self.tuning != "full" or self.freeze != "none"):
            raise PlanError("adversarial: moves word vectors that are trained, so tuning must be 'full', freeze 'none'")
        if self.width % 64:
            raise PlanError(f"width: {self.width} is not a multiple of 64")
        if not self.base.strip():
            raise PlanError(f"base: empty; use '{PACKAGED}', '{CATALOGUE}' or the path of a local checkpoint")
        if self.base == CATALOGUE and not self.pretrain_steps:
            raise PlanError(
                f"pretrain_steps: 0 with base '{CATALOGUE}' would fine-tune random weights; 2000 is a start, "
                "or take the preset 'pretrain-first'"
            )

    @property
    def last_blocks(self) -> int | None:
        """How many of the last blocks train; None when ``freeze`` does not speak of blocks."""
        found = LAST.fullmatch(self.freeze)
        return int(found[1]) if found else None

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
        return cls(**{name: _typed(known[name], value) for name, value in rest.items()})

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


def _typed(spec: Field[Any], value: Any) -> Any:
    """A whole number where a float is due becomes one, and 12.0 a 12 where an int is due; JSON knows only numbers."""
    if isinstance(spec.default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(spec.default, int) and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _check(spec: Field[Any], value: Any) -> None:
    limits: Mapping[str, Any] = spec.metadata
    kind = {str: "a text", int: "a whole number", float: "a number"}[type(spec.default)]
    if type(value) is not type(spec.default):
        raise PlanError(f"{spec.name}: {value!r} is not {kind} ({limits['about']})")
    if "choices" in limits and value not in limits["choices"]:
        raise PlanError(f"{spec.name}: {value!r} is not one of {', '.join(limits['choices'])}")
    if "low" in limits and not limits["low"] <= value <= limits["high"]:
        raise PlanError(f"{spec.name}: {value!r} is not between {limits['low']} and {limits['high']}")
