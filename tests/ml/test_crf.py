"""The CRF against sums and maxima over every sequence of labels, which small cases allow."""

import itertools

import numpy as np
import pytest

from ml.schema import FacetSpec, Schema
from ml.serving.labelling import Chain, Labels

torch = pytest.importorskip("torch")

from ml.heads.crf import CRF  # noqa: E402
from ml.heads.spans import possible_answer_loss  # noqa: E402

pytestmark = pytest.mark.torch
LABELS = Labels(Schema((FacetSpec("colour", ()), FacetSpec("use", ()))))
K = len(LABELS)


def weights(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=K).astype(np.float32), rng.normal(size=(K, K)).astype(np.float32)


def crf_of(first, transitions):
    crf = CRF(LABELS.begins, LABELS.follows)
    with torch.no_grad():
        crf.first.copy_(torch.from_numpy(first))
        crf.transitions.copy_(torch.from_numpy(transitions))
    return crf


def every_sequence(emissions, allowed, first, transitions):
    """(labels, log weight) of each sequence that BIO and ``allowed`` permit."""
    for labels in itertools.product(range(K), repeat=len(emissions)):
        if not LABELS.begins[labels[0]] or not all(LABELS.follows[a, b] for a, b in itertools.pairwise(labels)):
            continue
        if all(allowed[at, label] for at, label in enumerate(labels)):
            weight = first[labels[0]] + sum(emissions[at, label] for at, label in enumerate(labels))
            yield labels, weight + sum(transitions[a, b] for a, b in itertools.pairwise(labels))


def case(seed, lengths=(4, 1, 3)):
    rng = np.random.default_rng(seed)
    emissions = rng.normal(scale=2, size=(len(lengths), max(lengths), K)).astype(np.float32)
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    asked = rng.random(emissions.shape) < 0.8
    asked[:, :, 0] = True  # outside is always an answer
    may = asked & (rng.random(emissions.shape) < 0.5)
    may[:, :, 0] = True
    return emissions, mask, asked, may


@pytest.mark.parametrize("seed", range(5))
def test_log_likelihood_is_that_of_all_sequences(seed):
    emissions, mask, asked, may = case(seed)
    first, transitions = weights(seed)
    loss = crf_of(first, transitions)(*map(torch.from_numpy, (emissions, mask, asked, may)))
    for row in range(len(emissions)):
        size = mask[row].sum()
        sums = [
            np.logaddexp.reduce(
                [w for _, w in every_sequence(emissions[row, :size], a[row, :size], first, transitions)]
            )
            for a in (asked, asked & may)
        ]
        assert loss[row].item() == pytest.approx(sums[0] - sums[1], abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_viterbi_finds_the_likeliest_of_all_sequences(seed):
    emissions, mask, asked, _ = case(seed)
    first, transitions = weights(seed)
    chain = Chain.of(LABELS, first, transitions)
    for row in range(len(emissions)):
        size = mask[row].sum()
        scores, allowed = emissions[row, :size], asked[row, :size]
        every = list(every_sequence(scores, allowed, first, transitions))
        assert tuple(chain.viterbi(scores, allowed)) == max(every, key=lambda one: one[1])[0]


def runs(labels):
    """``{(first, words, facet)}`` of a sequence."""
    out = set()
    for at, label in enumerate(labels):
        if label % 2:
            size = len(list(itertools.takewhile(lambda later, inside=label + 1: later == inside, labels[at + 1 :])))
            out.add((at, 1 + size, label // 2))
    return out


@pytest.mark.parametrize("seed", range(5))
def test_a_spans_probability_is_the_share_of_the_sequences_that_hold_it(seed):
    emissions, mask, asked, _ = case(seed, lengths=(5, 1, 3))
    first, transitions = weights(seed)
    chain = Chain.of(LABELS, first, transitions)
    for row in range(len(emissions)):
        size = mask[row].sum()
        scores, allowed = emissions[row, :size], asked[row, :size]
        every = list(every_sequence(scores, allowed, first, transitions))
        share = np.exp([w for _, w in every] - np.logaddexp.reduce([w for _, w in every]))
        summed = np.zeros((size, size, K // 2))
        for (labels, _), p in zip(every, share, strict=True):
            for at, words, facet in runs(labels):
                summed[at, words - 1, facet] += p
        assert chain.spans(scores, allowed) == pytest.approx(summed, abs=1e-5)
        assert chain.spans(scores, allowed, longest=2) == pytest.approx(summed[:, :2], abs=1e-5)
    assert chain.spans(np.zeros((0, K)), np.ones((0, K), bool)).size == 0


def test_without_transitions_one_place_is_a_softmax():
    emissions, mask, asked, may = map(torch.from_numpy, case(1, lengths=(1, 1)))
    begins = torch.from_numpy(LABELS.begins)
    crf = CRF(LABELS.begins, LABELS.follows)
    plain = possible_answer_loss(emissions, mask, asked & begins, may & begins)
    assert torch.allclose(crf(emissions, mask, asked, may), plain[:, 0], atol=1e-5)


def test_gradients_are_numbers_where_almost_nothing_is_possible():
    emissions = torch.full((1, 6, K), 80.0).index_fill_(2, torch.tensor([1]), -80.0).requires_grad_()
    may = torch.zeros((1, 6, K), dtype=torch.bool)
    may[0, :, 1] = True
    crf = CRF(LABELS.begins, LABELS.follows)
    loss = crf(emissions, torch.ones((1, 6), dtype=torch.bool), torch.ones_like(may), may).sum()
    loss.backward()
    assert loss.item() == pytest.approx(6 * 160 + np.log(3**6), rel=0.02)
    assert torch.isfinite(emissions.grad).all() and torch.isfinite(crf.transitions.grad).all()


def test_a_row_without_words_costs_nothing():
    emissions, _, asked, may = map(torch.from_numpy, case(2))
    crf = crf_of(*weights(2))
    assert crf(emissions, torch.zeros(emissions.shape[:2], dtype=torch.bool), asked, may).tolist() == [0.0] * 3
    assert Chain.of(LABELS).viterbi(np.zeros((0, K)), np.ones((0, K), bool)).shape == (0,)
