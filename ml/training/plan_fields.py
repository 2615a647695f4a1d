"""The fields of a plan by noun: what each says, its default and its limits. ``ml.training.plan`` puts them together.

Each field carries its own explanation and limits, so that a form, a refusal and the documentation say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

PACKAGED = "packaged-minilm"
CATALOGUE = "catalogue"
LSTM = "lstm"
NO_TEXT = NO_PICTURES = "none"
SMALL = "small"


class PlanError(ValueError):
    """A plan that cannot be followed; the message begins with the field and says what it may be."""

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that the message is about; empty where it is about the plan as a whole."""
        first, colon, _rest = str(self).partition(":")
        found = tuple(name.strip() for name in first.split(","))
        return found if colon and all(name.isidentifier() for name in found) else ()


def _choice(default: str, about: str, *choices: str) -> Any:
    return field(default=default, metadata={"about": about, "choices": choices})


def _number(default: float, about: str, low: float, high: float) -> Any:
    """A field between ``low`` and ``high``, both allowed; whole when the default is an int."""
    return field(default=default, metadata={"about": about, "low": low, "high": high})


def _text(default: str, about: str, *known: str) -> Any:
    """``known``: words that mean something beside paths; others are checked by the plan."""
    return field(default=default, metadata={"about": about, "known": known})


@dataclass(frozen=True)
class Start:
    """What a run starts from."""

    base: str = _text(
        PACKAGED,
        f"the encoder to start from: '{PACKAGED}' (English, comes with the offline-encoder extra), '{CATALOGUE}' (a "
        f"small one pre-trained on the catalogue's own texts, any language), '{LSTM}' (a bidirectional LSTM from nothing, any "
        f"language), '{NO_TEXT}' (pictures alone) or the path of a local checkpoint",
    )


@dataclass(frozen=True)
class Pictures:
    """What reads pictures, and how text and picture are joined."""

    pictures: str = _text(
        NO_PICTURES,
        f"what reads pictures: '{NO_PICTURES}', '{SMALL}' (a small convolutional network trained from nothing) or the path "
        "of a local checkpoint (ResNet, ViT, CLIP, SigLIP); a product without one is read by its text",
        NO_PICTURES,
        SMALL,
    )
    picture_size: int = _number(
        64, "side that pictures are brought to, in pixels; a ViT, CLIP or SigLIP keeps its own", 32, 1024
    )
    picture_learning_rate: float = _number(
        2e-3, "peak rate of what reads pictures and of what joins it with the text; 1e-4 for a checkpoint", 0.0, 1.0
    )
    picture_freeze: str = _choice(
        "none", "whether what reads pictures is left as it is ('encoder'), for a checkpoint", "none", "encoder"
    )
    picture_augment: str = _choice(
        "crops",
        "changes of pictures while training: 'crops' (and mirrored), 'colour' (light and saturation too; not where a "
        "facet is about colour)",
        "none", "crops", "colour",
    )  # fmt: skip
    fusion: str = _choice(
        "concatenation",
        "how text and picture are joined: side by side, or by attention over words and parts of the picture",
        "concatenation", "attention",
    )  # fmt: skip
    modality_dropout: float = _number(
        0.1, "share of the products of which, while training, the text or the picture is hidden", 0.0, 0.9
    )


@dataclass(frozen=True)
class Steps:
    """What is read of a product, how steps are taken, and when they end."""

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
    optimiser: str = _choice(
        "adamw", "what takes the steps; SGD wants rates 100 times as high", "adamw", "sgd", "adafactor"
    )
    patience: int = _number(3, "epochs without a better validation score before stopping; 0 never stops", 0, 10_000)
    validation_share: float = _number(0.15, "share of the families kept aside for early stopping", 0.01, 0.5)
    heldout_share: float = _number(
        0.2, "share of the families that no training ever reads, for the report; the same families every time", 0.0, 0.5
    )


@dataclass(frozen=True)
class Losses:
    """What an error costs."""

    loss: str = _choice(
        "cross-entropy",
        "of facets with several values: 'focal' and 'asymmetric' look away from what is easily right, for rare tags",
        "cross-entropy", "focal", "asymmetric",
    )  # fmt: skip
    focus: float = _number(2.0, "how far those two look away (gamma)", 0.0, 10.0)
    label_smoothing: float = _number(0.0, "share of each answer moved towards 'not sure'", 0.0, 0.5)
    adversarial: float = _number(
        0.0,
        "each step is taken again with word vectors moved by this much to where it hurts (FGM); 0 is off",
        0.0,
        10.0,
    )


@dataclass(frozen=True)
class Tuning:
    """What of the encoder is trained."""

    tuning: str = _choice(
        "full", "what is trained of the encoder: its weights, or few numbers beside them (LoRA, AdaLoRA and IA3 are folded in)",
        "full", "lora", "adalora", "ia3", "adapters", "prefix",
    )  # fmt: skip
    rank: int = _number(8, "rank of LoRA and AdaLoRA, inner width of adapters, length of a prefix", 1, 256)
    freeze: str = _text(
        "none",
        "weights left as they are: 'none', 'embeddings', 'all but last N' (N blocks train) or 'encoder'",
        "none",
        "embeddings",
        "all but last 2",
        "encoder",
    )


@dataclass(frozen=True)
class Changes:
    """How texts are changed while training (augmentation)."""

    token_drop: float = _number(0.0, "share of a product's tokens left out, others at each step", 0.0, 0.9)
    synonym_swap: float = _number(0.0, "share of the taxonomy's words replaced by another of the same tag", 0.0, 1.0)
    shuffle_fields: float = _number(0.0, "share of products read with their fields in another order", 0.0, 1.0)
    masked_replace: float = _number(0.0, "share of tokens replaced by what the pre-trained encoder would say", 0.0, 0.9)


@dataclass(frozen=True)
class LittleData:
    """What helps where little is decided: undecided products, and several runs as one."""

    contrastive_steps: int = _number(0, "steps before fine-tuning that bring products of like tags together", 0, 10**7)
    contrastive: str = _choice(
        "supervised",
        "their loss: supervised contrastive, or the cosine of pairs, as SetFit has it",
        "supervised",
        "pairs",
    )
    contrastive_batch: int = _number(32, "products of each of those steps, each paired with each", 2, 4096)
    contrastive_temperature: float = _number(0.1, "how sharply the supervised one tells near from far", 0.01, 10.0)
    pseudo_rounds: int = _number(
        0, "times that fine-tuning goes on with what it is sure of on undecided products (self-training)", 0, 20
    )
    pseudo_confidence: float = _number(0.9, "how sure it must be of a tag, or of its absence", 0.5, 1.0)
    generator_weight: float = _number(
        0.0, "of telling undecided products from a generator's (GAN-BERT), beside the tags; 0 is off", 0.0, 10.0
    )
    generator_learning_rate: float = _number(1e-3, "peak rate of the generator and of what tells it apart", 0.0, 1.0)
    members: int = _number(1, "runs that differ in their seed and are brought together at the end", 1, 20)
    combine: str = _choice(
        "weights", "how: mean of their weights (one model), or of their scores (as slow as all together)",
        "weights", "scores",
    )  # fmt: skip


@dataclass(frozen=True)
class Continual:
    """Going on from a model that was trained before."""

    replay_share: float = _number(
        1.0,
        "share of the products that a bundle as base was trained on before that are read again; new ones all are",
        0.0,
        1.0,
    )


@dataclass(frozen=True)
class Smaller:
    """A smaller and faster model: taught by a larger one, or with parts taken out."""

    teacher: str = _text(
        "", "path of a full bundle whose answers on decided and undecided products are learned too (distillation)"
    )
    teacher_weight: float = _number(0.7, "share of the loss that the teacher has; people's answers have the rest", 0, 1)
    teacher_temperature: float = _number(2.0, "how far both sides are softened before they are compared", 0.1, 20.0)
    keep_blocks: int = _number(0, "blocks of the base that are kept, from the first; 0 keeps them all", 0, 200)
    prune_heads: float = _number(
        0.0, "share of attention heads taken out after fine-tuning, the least important ones", 0.0, 0.95
    )
    prune_neurons: float = _number(0.0, "share of feed-forward neurons taken out likewise", 0.0, 0.95)
    recover_epochs: int = _number(3, "epochs of fine-tuning once more after parts were taken out", 1, 10_000)


@dataclass(frozen=True)
class Pretraining:
    """What the catalogue's own texts teach before fine-tuning, and the size of what is made from them."""

    pretrain_steps: int = _number(0, "steps of masked-language modelling on all texts before fine-tuning", 0, 10**7)
    pretrain_learning_rate: float = _number(5e-4, "peak rate of those steps", 0.0, 1.0)
    pretrain_batch_tokens: int = _number(4096, "tokens in each of those steps", 64, 2**22)
    mask_share: float = _number(0.15, "share of tokens to guess while pre-training", 0.01, 0.9)
    vocabulary: int = _number(8000, "largest vocabulary of a tokenizer made from the catalogue", 200, 250_000)
    layers: int = _number(4, "blocks of an encoder made from the catalogue, and of each side of a writer", 1, 48)
    width: int = _number(256, "width of an encoder or writer made from the catalogue; a multiple of 64", 64, 2048)


@dataclass(frozen=True)
class Writing:
    """A model that writes tags and texts beside the one that tags."""

    generation: str = _choice(
        "none",
        "what a sequence-to-sequence model learns to write beside the tag head: tags of a product, texts (title, selling "
        "points, keywords) from its tags, or both",
        "none", "tags", "texts", "tags and texts",
    )  # fmt: skip
    generation_base: str = _text(
        CATALOGUE, f"the model that writes: '{CATALOGUE}' (a small BART for the catalogue's own texts, any language) or the path "
        "of a local T5 or BART checkpoint", CATALOGUE,
    )  # fmt: skip
    generation_epochs: int = _number(40, "times each product is written, unless stopped early", 1, 10_000)
    generation_learning_rate: float = _number(
        1e-3, "peak rate of its weights; 1e-4 suits a checkpoint that can write already", 0.0, 1.0
    )
    generation_length: int = _number(128, "tokens written of a product at most", 8, 1024)
    control_share: float = _number(
        0.3, "share of its lessons that ask for some facets only, and as many for a number of tags", 0.0, 1.0
    )
    beams: int = _number(4, "sequences that beam search keeps; 1 takes the likeliest token each time", 1, 32)
    decoding: str = _choice(
        "held", "'held' writes only known tags that may stand on the product (a prefix trie); 'free' whatever comes",
        "held", "free",
    )  # fmt: skip


@dataclass(frozen=True)
class Spans:
    """Words that name values, learned beside the tags."""

    spans: str = _choice(
        "none",
        "words that name values, learned beside the tags: 'marked' from spans that people marked, 'weak' from these and "
        "from where the words of accepted tags stand in the text",
        "none", "marked", "weak",
    )  # fmt: skip
    tag_weight: float = _number(1.0, "weight of the tags' loss beside that of the spans", 0.0, 100.0)
    span_weight: float = _number(1.0, "weight of the spans' loss beside that of the tags", 0.0, 100.0)
    span_layer: str = _choice(
        "softmax", "how words get labels: each by itself, or 'crf', which weighs whole sequences", "softmax", "crf"
    )
    span_features: str = _choice(
        "none", "what a word's label is read from beside its state: 'dictionary' adds which known values stand there",
        "none", "dictionary",
    )  # fmt: skip
    value_swap: float = _number(
        0.0, "share of the values marked in texts replaced by another of the same facet, others at each step", 0.0, 1.0
    )


@dataclass(frozen=True)
class Machine:
    """Where and how it is computed."""

    device: str = _choice("auto", "where to compute; auto takes a GPU when there is one", "auto", "cpu", "cuda")
    precision: str = _choice("auto", "auto is bf16 on a GPU that has it and fp32 elsewhere", "auto", "fp32", "bf16")
    threads: int = _number(0, "CPU threads; 0 leaves it to torch", 0, 1024)
    checkpoint_every_s: float = _number(60.0, "seconds between checkpoints: the most that a crash costs", 0.0, 86_400.0)


SECTIONS: dict[str, type] = {
    "start": Start,
    "pictures": Pictures,
    "steps": Steps,
    "loss": Losses,
    "tuning": Tuning,
    "changes": Changes,
    "little": LittleData,
    "continual": Continual,
    "small": Smaller,
    "pretraining": Pretraining,
    "writing": Writing,
    "spans": Spans,
    "machine": Machine,
}
"""Word for a section to the fields of it, in the order in which people meet them."""

SECTION_OF: dict[str, str] = {
    name: word for word, part in SECTIONS.items() for name in (spec.name for spec in fields(part))
}
"""Field to section."""


def typed(spec: Field[Any], value: Any) -> Any:
    """A whole number where a float is due becomes one, and 12.0 a 12 where an int is due; JSON knows only numbers."""
    if isinstance(spec.default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(spec.default, int) and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def check(spec: Field[Any], value: Any) -> None:
    limits: Mapping[str, Any] = spec.metadata
    kind = {str: "a text", int: "a whole number", float: "a number"}[type(spec.default)]
    if type(value) is not type(spec.default):
        raise PlanError(f"{spec.name}: {value!r} is not {kind} ({limits['about']})")
    if "choices" in limits and value not in limits["choices"]:
        raise PlanError(f"{spec.name}: {value!r} is not one of {', '.join(limits['choices'])}")
    if "low" in limits and not limits["low"] <= value <= limits["high"]:
        raise PlanError(f"{spec.name}: {value!r} is not between {limits['low']} and {limits['high']}")
