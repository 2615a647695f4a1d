"""Parameter-efficient tuning: a few numbers beside frozen weights, folded into them at the end.

LoRA (Hu et al. 2021), AdaLoRA (Zhang et al. 2023) and IA3 (Liu et al. 2022) through ``peft``; bottleneck adapters and
prefixes, which stay beside the weights, are ours (``ml.encoders.adapters``). What comes out is a checkpoint like any other: served, exported and trained on without ``peft``. A run of AdaLoRA that was killed and
resumed estimates the importance of its ranks anew, so it alone is not bit for bit the undisturbed run.
"""

from __future__ import annotations

from typing import Any

from ml.encoders.adapters import attach
from ml.encoders.hf import TextEncoder
from ml.training.errors import TrainingError
from ml.training.plan import Plan

WARM, COOL = 0.2, 0.2
"""Shares of all steps in which AdaLoRA keeps every rank, before and after it gives ranks away."""


def adapt(encoder: TextEncoder, plan: Plan, steps: int) -> None:
    """Freeze the encoder and put the plan's adapters beside its linear layers; ``full`` leaves it as it is.

    Raises TrainingError when ``peft`` is not installed or does not know where the layers of this model are.
    """
    if plan.tuning == "full":
        return
    if plan.tuning in ("adapters", "prefix"):
        attach(encoder, plan.tuning, plan.rank)
        return
    try:
        from peft import get_peft_model
    except ImportError as error:
        raise TrainingError(f"tuning: '{plan.tuning}' needs the package peft (extra ml)") from error
    try:
        encoder.backbone = get_peft_model(encoder.backbone, _config(plan, steps))  # type: ignore[assignment]
    except ValueError as error:
        raise TrainingError(f"tuning: '{plan.tuning}' does not fit this model ({error})") from error


def after_step(encoder: TextEncoder, plan: Plan, step: int) -> None:
    """To be called when the optimiser has stepped and gradients are still there: AdaLoRA moves its ranks then."""
    if plan.tuning == "adalora":
        backbone: Any = encoder.backbone
        backbone.base_model.update_and_allocate(step)


def penalty(encoder: TextEncoder, plan: Plan) -> Any:
    """What AdaLoRA adds to the loss: how far its factors are from orthogonal (its equation 5); 0 for the others."""
    if plan.tuning != "adalora":
        return 0.0
    backbone: Any = encoder.backbone
    total, count = 0.0, 0
    for name, factor in backbone.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            gram = factor @ factor.T if "lora_A" in name else factor.T @ factor
            total = total + (gram - gram.new_ones(len(gram)).diag()).norm()
            count += 1
    return backbone.base_model.peft_config["default"].orth_reg_weight * total / max(1, count)


def fold(encoder: TextEncoder) -> None:
    """Fold the adapters into the weights; the answers stay the same. Does nothing where there are none."""
    backbone: Any = encoder.backbone
    if hasattr(backbone, "merge_and_unload"):
        encoder.backbone = backbone.merge_and_unload()


def _config(plan: Plan, steps: int) -> Any:
    from peft import AdaLoraConfig, IA3Config, LoraConfig

    if plan.tuning == "lora":
        return LoraConfig(
            r=plan.rank, lora_alpha=2 * plan.rank, lora_dropout=plan.dropout, target_modules="all-linear"
        )  # fmt: skip
    if plan.tuning == "adalora":
        return AdaLoraConfig(
            init_r=round(1.5 * plan.rank), target_r=plan.rank, lora_alpha=2 * plan.rank, lora_dropout=plan.dropout,
            tinit=round(WARM * steps), tfinal=round(COOL * steps), deltaT=1, total_step=max(steps, 1),
            target_modules="all-linear",
        )  # fmt: skip
    return IA3Config(target_modules="all-linear", feedforward_modules=[])
