"""What a plan refuses, so that it can be told in the reader's language (``annotations.retelling``).

The library knows one language, and says what does not go together in it. A sentence that is not here is told as it says
it; those that the page can bring about are.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

# fmt: off
REFUSALS = (
    _("%(value)s is not one of 'none', 'embeddings', 'encoder', 'all but last N' (N a number)"),
    _("moves word vectors that are trained, so tuning must be 'full', freeze 'none'"),
    _("asks the masked head that pre-training leaves; set pretrain_steps too"),
    _("'scores' goes with neither pruning nor parts that are not folded in; use 'weights'"),
    _("move the encoder, which freeze 'encoder' holds still"),
    _("goes with neither a teacher nor spans; set it to 0"),
    _("go with neither a teacher, who answers already, nor spans; set them to 0"),
    _("go on from weights, into which adapters and prefixes are not folded"),
    _("parts of weights that stay frozen; tuning must be 'full'"),
    _("'none', so tag_weight, span_layer and value_swap say nothing; choose 'marked' or 'weak'"),
    _("a teacher teaches tags alone; set spans to 'none', or leave teacher empty"),
    _("goes with no augmentation but value_swap, which knows where the words move to"),
    _("0 learns no spans; set spans to 'none' instead"),
    _("%(value)s is not a multiple of 64"),
    _("an encoder made from the catalogue has as many as 'layers' says"),
    _("%(value)s writes no text; use 'catalogue' or the path of a T5 or BART"),
    _("'lstm' has no linear layers to adapt, no heads and no feed-forward neurons to prune; tuning must be 'full', prune_heads and prune_neurons 0"),
    _("0 with base 'catalogue' would fine-tune random weights; 2000 is a start, or take the preset 'pretrain-first'"),
    _("'%(value)s' with pictures 'small' would keep random weights"),
    _("is for an encoder of text alone, and pictures is %(value)s; take one"),
    _("'none' without pictures leaves nothing to read; set pictures to 'small'"),
    _("is about text, and base 'none' reads none; it must be %(value)s"),
    # a search over plans (ml.search)
    _("say what to vary, such as %(space)s"),
    _("no combination of its values makes a plan that can be followed"),
    _("%(field)s has no values"),
    _("%(field)s needs low below high, and above 0 to be logarithmic"),
    _("%(field)s needs low below high"),
    _("%(value)s is not one of %(values)s"),
    _("%(value)s is not between %(low)s and %(high)s"),
)
