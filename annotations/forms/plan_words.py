"""What people read of a plan's fields: a name, and one sentence that says what it does and when it is worth it.

Which fields there are, of what kind and within which limits, the plan says itself (``bridge.plan_fields``); here are
only their words, in a language that people speak and that gettext can find. What was measured of them is in ``plan_figures.json``.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = tuple[str | Promise, str | Promise]

# fmt: off
SECTIONS: dict[str, Words] = {
    "steps": (_("Steps"), _("How often, how fast and how long it learns.")),
    "pictures": (_("Pictures"), _("Learn from the first picture of each product as well as from its text.")),
    "little": (_("Little data"), _("Undecided products put to use, and several runs as one, for when few products are decided.")),
    "changes": (_("Changed texts"), _("Read each product in slightly different words every time, so that less is learned by heart.")),
    "loss": (_("Loss"), _("What a wrong answer costs while training.")),
    "tuning": (_("Tuning"), _("Which weights of the encoder are trained.")),
    "pretraining": (_("Pre-training"), _("Read all texts of the catalogue, decided or not, before learning from decisions.")),
    "small": (_("Small and fast"), _("A smaller model that is taught by a larger one, or has its least important parts taken out.")),
    "continual": (_("Continual"), _("Go on from a model that was trained here before.")),
    "spans": (_("Words that name values"), _("Find the words in the text that say a tag, as evidence and as proposals for new tags.")),
    "writing": (_("Writing"), _("A second model that writes tags or product texts; what it writes is a draft until a person approves it.")),
    "machine": (_("Machine"), _("Where and how it is computed; equal plans learn the same wherever they run.")),
}
"""Word for a section to its title and its sentence, in the order of the page."""

FIELDS: dict[str, Words] = {
    "seed": (
        _("Seed"),
        _("Equal seeds give equal runs on the same device."),
    ),
    "max_length": (
        _("Words read"),
        _("Tokens of each product's text; what is longer is cut."),
    ),
    "epochs": (
        _("Epochs"),
        _("How often each decided product is read. It stops by itself when nothing gets better."),
    ),
    "batch_size": (
        _("Batch size"),
        _("Products per step. Smaller when memory runs out."),
    ),
    "batch_unit": (
        _("Batch size counts"),
        _("Products, or tokens where lengths differ a lot."),
    ),
    "learning_rate": (
        _("Learning rate"),
        _("How far each step goes. Lower when the loss jumps."),
    ),
    "head_learning_rate": (
        _("Learning rate of the tag head"),
        _("The head starts from nothing and takes larger steps than the encoder."),
    ),
    "schedule": (
        _("How the rate falls"),
        _("After warming up: in a line, along a cosine, or not at all."),
    ),
    "warmup_share": (
        _("Share of warm-up"),
        _("Part of all steps during which the rate rises from zero."),
    ),
    "weight_decay": (
        _("Weight decay"),
        _("Pulls weights towards zero, against learning by heart."),
    ),
    "clip_norm": (
        _("Longest gradient"),
        _("Longer ones are shortened to it; 0 leaves them."),
    ),
    "dropout": (
        _("Dropout"),
        _("Part of the activations left out at each step; more where little is decided."),
    ),
    "optimiser": (
        _("Optimiser"),
        _("What takes the steps. SGD wants rates 100 times as high, Adafactor less memory."),
    ),
    "patience": (
        _("Patience"),
        _("Epochs without a better validation score before it stops; 0 never stops early."),
    ),
    "validation_share": (
        _("Share for validation"),
        _("Families kept aside to stop in time and to calibrate."),
    ),
    "heldout_share": (
        _("Share for the report"),
        _("Families that no training ever reads, the same ones every time; less makes the report less sure."),
    ),
    "pictures": (
        _("What reads pictures"),
        _("“small” is a network from nothing, else the path of a ResNet, ViT, CLIP or SigLIP. Worth it where texts do not name what can be seen."),
    ),
    "picture_size": (
        _("Size of pictures"),
        _("Side in pixels; larger sees finer patterns and takes longer. A ViT, CLIP or SigLIP keeps its own."),
    ),
    "picture_learning_rate": (
        _("Learning rate of pictures"),
        _("Of what reads pictures and joins them with the text; 0.0001 suits a checkpoint."),
    ),
    "picture_freeze": (
        _("Leave it as it is"),
        _("“encoder” keeps a checkpoint that reads pictures unchanged: quicker, and enough where its pictures were like yours."),
    ),
    "picture_augment": (
        _("Changed pictures"),
        _("Cropped and mirrored while training; “colour” also changes light, so not where a facet is about colour. Gain not measured."),
    ),
    "fusion": (
        _("How they are joined"),
        _("Side by side, or by attention over words and parts of the picture."),
    ),
    "modality_dropout": (
        _("Hidden text or picture"),
        _("Share of products of which one of both is hidden, so that each is learned alone too. At 0, products without a picture are guessed at."),
    ),
    "contrastive_steps": (
        _("Steps of bringing likes together"),
        _("Before fine-tuning, products with the same tags are drawn together; for a few examples of each tag, where the instant model needs no run at all."),
    ),
    "contrastive": (
        _("How likes are drawn together"),
        _("“pairs” is SetFit's way; “supervised” compares all of a batch."),
    ),
    "contrastive_batch": (
        _("Products of such a step"),
        _("Each is compared with each; more needs more memory."),
    ),
    "contrastive_temperature": (
        _("Sharpness"),
        _("Lower tells near from far more sharply; of the supervised way alone."),
    ),
    "pseudo_rounds": (
        _("Rounds of self-training"),
        _("Goes on with what it is sure of on undecided products, while validation gains."),
    ),
    "pseudo_confidence": (
        _("Sure from"),
        _("How likely a tag, or its absence, has to be to count."),
    ),
    "generator_weight": (
        _("Weight of undecided products"),
        _("Learns to tell undecided products from invented ones (GAN-BERT); 0 is off."),
    ),
    "generator_learning_rate": (
        _("Learning rate of the inventor"),
        _("Of what invents products and of what tells them apart."),
    ),
    "members": (
        _("Runs brought together"),
        _("Trained one after the other with other seeds and made one (an ensemble); takes as many times as long."),
    ),
    "combine": (
        _("How they become one"),
        _("Mean of weights is as fast as one model; mean of scores as slow as all together."),
    ),
    "token_drop": (
        _("Words left out"),
        _("Share of a product's tokens, others at each step."),
    ),
    "synonym_swap": (
        _("Synonyms swapped"),
        _("Share of the taxonomy's words replaced by another word of the same tag; needs synonyms."),
    ),
    "shuffle_fields": (
        _("Fields in another order"),
        _("Share of products, so that position says nothing."),
    ),
    "masked_replace": (
        _("Words guessed anew"),
        _("Share of tokens replaced by what the pre-trained encoder would say; needs pre-training steps."),
    ),
    "loss": (
        _("What weighs more"),
        _("For facets with several values."),
    ),
    "focus": (
        _("How far it looks away"),
        _("From what is easily right (gamma); for focal and asymmetric alone."),
    ),
    "label_smoothing": (
        _("Label smoothing"),
        _("Share of each answer moved towards “not sure”; for decisions that are not all right."),
    ),
    "adversarial": (
        _("Push on word vectors (FGM)"),
        _("Each step is taken again from where it hurts; takes twice as long."),
    ),
    "tuning": (
        _("What is trained of the encoder"),
        _("Adapters train fewer numbers and need less memory, for large encoders; LoRA, AdaLoRA and IA3 serve as before."),
    ),
    "rank": (
        _("Size of the adapters"),
        _("Rank of LoRA and AdaLoRA, inner width of adapters, length of a prefix."),
    ),
    "freeze": (
        _("Weights left as they are"),
        _("“none”, “embeddings”, “encoder” (the head alone trains) or “all but last 2”; less is quicker and safer with few decisions."),
    ),
    "pretrain_steps": (
        _("Steps of pre-training"),
        _("Guesses hidden words in all texts first; 2000 is a start. Needed where no checkpoint speaks the language."),
    ),
    "pretrain_learning_rate": (
        _("Learning rate of pre-training"),
        _("0.0001 where a checkpoint goes on, five times that from nothing."),
    ),
    "pretrain_batch_tokens": (
        _("Tokens of such a step"),
        _("Fewer when memory runs out."),
    ),
    "mask_share": (
        _("Words hidden"),
        _("Share of tokens to guess."),
    ),
    "vocabulary": (
        _("Vocabulary"),
        _("Of a tokenizer made from the catalogue, at most."),
    ),
    "layers": (
        _("Blocks"),
        _("Of an encoder made from the catalogue, and of each side of a writer."),
    ),
    "width": (
        _("Width"),
        _("Of the same; a multiple of 64."),
    ),
    "teacher": (
        _("Teacher"),
        _("Path of a full bundle whose answers are learned too. Worth it with fewer blocks kept."),
    ),
    "teacher_weight": (
        _("Weight of the teacher"),
        _("Share of the loss; people's answers have the rest."),
    ),
    "teacher_temperature": (
        _("Softness"),
        _("How far both sides' answers are softened before they are compared."),
    ),
    "keep_blocks": (
        _("Blocks kept"),
        _("From the first; 0 keeps them all. Fewer is faster."),
    ),
    "prune_heads": (
        _("Attention heads taken out"),
        _("Share of them, the least important ones, after fine-tuning."),
    ),
    "prune_neurons": (
        _("Neurons taken out"),
        _("Share of the feed-forward neurons, likewise."),
    ),
    "recover_epochs": (
        _("Epochs to recover"),
        _("Fine-tuned once more after parts were taken out."),
    ),
    "replay_share": (
        _("Old products read again"),
        _("Where a model's own folder is the start: share of what it was trained on before; new products all are. Less is quicker and may forget."),
    ),
    "spans": (
        _("Where spans come from"),
        _("“marked” from words that people chose, “weak” also from where the words of accepted tags stand; they show as evidence, and values that no tag has yet are proposed."),
    ),
    "tag_weight": (
        _("Weight of tags"),
        _("Of their loss beside that of the spans."),
    ),
    "span_weight": (
        _("Weight of spans"),
        _("Of their loss beside that of the tags."),
    ),
    "span_layer": (
        _("How words get labels"),
        _("Each by itself, or whole sequences weighed (CRF)."),
    ),
    "span_features": (
        _("Known values as a hint"),
        _("“dictionary” tells each word which known values stand there; worth it where values are many and rare."),
    ),
    "value_swap": (
        _("Values exchanged in texts"),
        _("Share of the marked values read as another of the same facet, so that new values are found by what stands around them."),
    ),
    "generation": (
        _("What it writes"),
        _("Tags, texts from tags, or both. Tags written serve nothing; from a few hundred products alone a copied text is a better draft."),
    ),
    "generation_base": (
        _("The model that writes"),
        _("A small one made from the catalogue, or the path of a T5 or BART."),
    ),
    "generation_epochs": (
        _("Epochs of writing"),
        _("Times each product is written, unless stopped early."),
    ),
    "generation_learning_rate": (
        _("Learning rate of writing"),
        _("0.0001 suits a checkpoint that can write already."),
    ),
    "generation_length": (
        _("Longest text"),
        _("Tokens written of a product at most."),
    ),
    "control_share": (
        _("Lessons with wishes"),
        _("Share that asks for some facets only, or for a number of tags, so that both can be asked for later."),
    ),
    "beams": (
        _("Sequences kept"),
        _("Of written tags and texts; 1 takes the likeliest word each time."),
    ),
    "decoding": (
        _("What may be written"),
        _("“held” writes known tags alone; “free” whatever comes."),
    ),
    "device": (
        _("Device"),
        _("Where it computes, if the worker that takes it has the choice."),
    ),
    "precision": (
        _("Precision"),
        _("Automatic: bf16 on a GPU that has it, else fp32."),
    ),
    "threads": (
        _("Threads"),
        _("Of the processor; 0 leaves it to the machine."),
    ),
    "checkpoint_every_s": (
        _("Seconds between checkpoints"),
        _("The most that a crash costs."),
    ),
}
"""Field to its name and its sentence."""

VALUES: dict[str, str | Promise] = {
    "none": _("none"),
    "small": _("small network"),
    "catalogue": _("made from the catalogue"),
    "encoder": _("the encoder"),
    "crops": _("cropped, mirrored"),
    "colour": _("colour too"),
    "concatenation": _("side by side"),
    "attention": _("by attention"),
    "examples": _("products"),
    "tokens": _("tokens"),
    "linear": _("in a line"),
    "cosine": _("along a cosine"),
    "constant": _("not at all"),
    "cross-entropy": _("every tag alike (cross-entropy)"),
    "focal": _("what is hard more (focal)"),
    "asymmetric": _("rare tags more (asymmetric)"),
    "full": _("its weights"),
    "lora": _("adapters (LoRA)"),
    "adalora": _("adapters (AdaLoRA)"),
    "ia3": _("adapters (IA3)"),
    "adapters": _("adapters between blocks"),
    "prefix": _("a learned prefix"),
    "weights": _("mean of weights"),
    "scores": _("mean of scores"),
    "supervised": _("all of a batch (supervised)"),
    "pairs": _("pairs (SetFit)"),
    "tags": _("tags"),
    "texts": _("texts"),
    "tags and texts": _("tags and texts"),
    "held": _("known tags alone"),
    "free": _("whatever comes"),
    "marked": _("words that people chose"),
    "weak": _("also words of accepted tags"),
    "softmax": _("each by itself"),
    "crf": _("whole sequences (CRF)"),
    "dictionary": _("dictionary"),
    "auto": _("automatic"),
    "cpu": _("Processor"),
    "cuda": _("GPU only"),
}
"""What a plan writes for a choice, and what people call it."""
