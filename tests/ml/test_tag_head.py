import math

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402

from ml.examples import Example, targets  # noqa: E402
from ml.heads.tags import TagHead, TagLoss, partial_answer_loss  # noqa: E402
from ml.serving.decoding import probabilities  # noqa: E402
from tests.ml import tiny  # noqa: E402

pytestmark = pytest.mark.torch
SCHEMA = tiny.schema()


def one(**said):
    """(y, known) tensors of one product of which that was said."""
    y, known = targets(SCHEMA, [Example("a", {"title": "x"}, **said)])
    return torch.from_numpy(y), torch.from_numpy(known)


def test_unknown_entries_have_no_loss_and_no_gradient():
    """The same products with and without further unknown ones, and with another y where nothing is known."""
    logits = torch.randn(3, len(SCHEMA.columns), requires_grad=True)
    y, known = targets(
        SCHEMA,
        [
            Example("a", {}, labels={"use": frozenset({"office"})}),
            Example("b", {}, rejected={"colour": frozenset({"blue"})}),
            Example("c", {}),
        ],
    )
    y, known = torch.from_numpy(y), torch.from_numpy(known)
    loss = TagLoss(SCHEMA)(logits, y, known)
    (gradient,) = torch.autograd.grad(loss, logits)
    office = SCHEMA.column("use", "office")
    assert gradient[0].nonzero().flatten().tolist() == [office]
    assert gradient[2].abs().sum() == 0
    multi = SCHEMA.facet_columns["use"]
    assert gradient[1, multi].abs().sum() == 0 and gradient[1, SCHEMA.facet_columns["colour"]].abs().sum() > 0
    other = torch.where(known, y, 1.0 - y)
    assert TagLoss(SCHEMA)(logits, other, known) == loss, "what is unknown must not be read"
    control = TagLoss(SCHEMA)(logits, other, torch.ones_like(known))
    assert control != loss, "with everything taken for known the loss must differ"


def test_nothing_known_is_zero_and_can_be_stepped_on():
    logits = torch.randn(2, len(SCHEMA.columns), requires_grad=True)
    empty = torch.zeros(2, len(SCHEMA.columns))
    loss = TagLoss(SCHEMA)(logits, empty, empty.bool())
    loss.backward()
    assert loss == 0 and logits.grad.abs().sum() == 0


def test_single_choice_is_a_softmax_with_none_of_them():
    logits = torch.tensor([[1.0, 2.0, -1.0]])
    whole = math.exp(1) + math.exp(2) + math.exp(-1) + 1
    known = torch.ones(1, 3, dtype=torch.bool)
    right = torch.tensor([[0.0, 1.0, 0.0]])
    none = torch.zeros(1, 3)
    assert partial_answer_loss(logits, right, known).item() == pytest.approx(-math.log(math.exp(2) / whole))
    assert partial_answer_loss(logits, none, known).item() == pytest.approx(-math.log(1 / whole))
    ruled_out = torch.tensor([[False, True, False]])  # one tag known to be wrong: the others share what is left
    assert partial_answer_loss(logits, none, ruled_out).item() == pytest.approx(
        -math.log((whole - math.exp(2)) / whole)
    )
    assert partial_answer_loss(logits, none, torch.zeros_like(known)).item() == 0


def test_numpy_probabilities_are_those_of_the_loss():
    logits = torch.randn(5, len(SCHEMA.columns))
    p = probabilities(SCHEMA, logits.numpy())
    columns = SCHEMA.facet_columns["colour"]
    with_none = torch.cat([torch.zeros(5, 1), logits[:, columns]], 1).softmax(1)[:, 1:]
    np.testing.assert_allclose(p[:, columns], with_none, rtol=1e-5)
    multi = SCHEMA.facet_columns["use"]
    np.testing.assert_allclose(p[:, multi], logits[:, multi].sigmoid(), rtol=1e-5)
    assert np.isfinite(probabilities(SCHEMA, np.full((1, 7), 1e4))).all()


def test_smoothing_keeps_a_sure_answer_from_being_free():
    y, known = one(labels={"colour": frozenset({"blue"}), "use": frozenset({"office"})}, complete=frozenset({"use"}))
    sure = torch.where(y > 0.5, 50.0, -50.0)
    assert TagLoss(SCHEMA)(sure, y, known) < 1e-6
    assert TagLoss(SCHEMA, smoothing=0.1)(sure, y, known) > 1


def test_exported_weights_give_the_same_logits():
    head = TagHead(SCHEMA, 64).eval()
    torch.nn.init.normal_(head.linear.weight)
    pooled = torch.nn.functional.normalize(torch.randn(4, 64), dim=1)
    weight, bias = head.exported()
    np.testing.assert_allclose(pooled.numpy() @ weight.T + bias, head(pooled).detach().numpy(), rtol=1e-4, atol=1e-4)
