"""What an encoder knows of two sentences before it is trained on a task: how close their vectors are.

The vector of a sentence is the mean of the last layer over its tokens (Reimers and Gurevych 2019).
"""

from collections.abc import Sequence

import numpy as np
import torch
import transformers as hf
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from .tasks import Task

BATCH = 64


def accuracy_of_cosine(
    encoder: nn.Module, tokenizer: hf.PreTrainedTokenizerBase, task: Task, max_length: int
) -> float:
    """Dev accuracy of the rule that calls a pair one class where the cosine of its sentences' vectors is above a
    threshold, and else the other class; the train split chooses the threshold. For pairs in two classes."""
    threshold, above = best_threshold(
        cosines(encoder, tokenizer, task.train_text, max_length), labels_of(task.train)
    )
    found = cosines(encoder, tokenizer, task.dev_text, max_length) > threshold
    return float(np.mean(np.where(found, above, 1 - above) == labels_of(task.dev)))


def labels_of(examples: Sequence[dict]) -> np.ndarray:
    return np.array([example["labels"] for example in examples])


def best_threshold(cosine: np.ndarray, labels: np.ndarray) -> tuple[float, int]:
    """The threshold, between two cosines, (n,), and the class, 0 or 1, above it that agree with most labels, (n,)."""
    order = np.argsort(cosine, kind="stable")
    value, ones = cosine[order], labels[order] == 1
    # with class 1 above a threshold after the first k: the zeros below it and the ones above it are right
    right = np.concatenate([[0], np.cumsum(~ones)]) + ones.sum() - np.concatenate([[0], np.cumsum(ones)])
    edges = np.concatenate([[-np.inf], (value[1:] + value[:-1]) / 2, [np.inf]])
    apart = np.concatenate([[True], value[1:] > value[:-1], [True]])  # equal cosines are on one side
    right, edges = right[apart], edges[apart]
    best, worst = right.argmax(), right.argmin()
    if len(labels) - right[worst] > right[best]:
        return float(edges[worst]), 0
    return float(edges[best]), 1


@torch.no_grad()
def cosines(
    encoder: nn.Module,
    tokenizer: hf.PreTrainedTokenizerBase,
    pairs: Sequence[tuple[str, ...]],
    max_length: int,
) -> np.ndarray:
    """(n,): the cosine of the angle between the vectors of the two sentences of each pair."""
    texts = sorted({text for pair in pairs for text in pair}, key=lambda text: (len(text), text))
    vectors: dict[str, Tensor] = {}
    for i in range(0, len(texts), BATCH):
        batch = texts[i : i + BATCH]
        inputs = tokenizer(batch, padding=True, truncation=True, max_length=max_length, return_tensors="pt")
        inputs = inputs.to(next(encoder.parameters()).device)
        hidden = encoder(**inputs).last_hidden_state  # (B, T, d)
        mask = inputs["attention_mask"][..., None]  # (B, T, 1)
        vectors |= zip(batch, ((hidden * mask).sum(dim=1) / mask.sum(dim=1)).cpu(), strict=True)
    first, second = (torch.stack([vectors[pair[side]] for pair in pairs]) for side in (0, 1))  # (n, d) each
    return cosine_similarity(first.double(), second.double()).numpy()
