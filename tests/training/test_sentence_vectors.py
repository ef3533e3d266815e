"""What an encoder knows of two sentences before training: against one sentence at a time, and every threshold."""

import numpy as np
import pytest
import torch
from networks import make_model

from landscape_utils.training.demo_language import make_tokenizer
from landscape_utils.training.sentence_vectors import best_threshold, cosines

PAIRS = [("the tutor helps", "the pupil reads a book"), ("a book", "the tutor helps"), ("a book", "a book")]


def test_the_vector_of_a_sentence_is_the_mean_over_its_tokens():
    """Batches are padded, which must not show; 1e-5: rounding of float32 in three layers."""
    tokenizer = make_tokenizer()
    encoder = make_model(vocab_size=len(tokenizer)).base_model.eval()

    def vector(sentence):
        return encoder(**tokenizer(sentence, return_tensors="pt")).last_hidden_state[0].mean(dim=0)

    with torch.no_grad():
        expected = [float(torch.cosine_similarity(vector(a), vector(b), dim=0)) for a, b in PAIRS]
    found = cosines(encoder, tokenizer, PAIRS, max_length=32)
    assert found.tolist() == pytest.approx(expected, abs=1e-5)
    assert expected[2] == pytest.approx(1, abs=1e-5) and abs(expected[0] - expected[1]) > 1e-3


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_agrees_with_more_labels(seed):
    """All thresholds are tried, also those beyond all cosines; of equal cosines none is split off."""
    generator = np.random.default_rng(seed)
    cosine = generator.integers(0, 6, 12) / 5
    labels = generator.integers(0, 2, 12)

    def right(threshold, above):
        return int((np.where(cosine > threshold, above, 1 - above) == labels).sum())

    every = [right(t, above) for t in np.arange(-0.1, 1.2, 0.1) for above in (0, 1)]
    assert right(*best_threshold(cosine, labels)) == max(every)
