"""Small random classifiers and examples, and the plain way to measure them."""

from __future__ import annotations

import copy

import numpy as np
import torch
import transformers as hf

SMALL = {"vocab_size": 60, "max_position_embeddings": 48, "num_labels": 3}
BERT_LIKE = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    **SMALL,
}
MODELS = {
    "bert": (hf.BertConfig, hf.BertForSequenceClassification, BERT_LIKE),
    "roberta": (hf.RobertaConfig, hf.RobertaForSequenceClassification, BERT_LIKE | {"pad_token_id": 1}),
    "electra": (hf.ElectraConfig, hf.ElectraForSequenceClassification, BERT_LIKE | {"embedding_size": 16}),
    "mpnet": (hf.MPNetConfig, hf.MPNetForSequenceClassification, BERT_LIKE | {"pad_token_id": 1}),
    "albert": (hf.AlbertConfig, hf.AlbertForSequenceClassification, BERT_LIKE | {"embedding_size": 16}),
    "deberta": (
        hf.DebertaV2Config,
        hf.DebertaV2ForSequenceClassification,
        BERT_LIKE | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 2},
    ),
    "distilbert": (
        hf.DistilBertConfig,
        hf.DistilBertForSequenceClassification,
        {"dim": 24, "n_layers": 3, "n_heads": 2, "hidden_dim": 32, **SMALL},
    ),
    "modernbert": (
        hf.ModernBertConfig,
        hf.ModernBertForSequenceClassification,
        BERT_LIKE | {"pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 8},
    ),
}


def make_model(kind: str = "bert", seed: int = 0, **changes) -> torch.nn.Module:
    config, model, settings = MODELS[kind]
    torch.manual_seed(seed)
    return model(config(**settings | changes))


def make_examples(count: int = 13, seed: int = 0, classes: int = 3, longest: int = 17) -> list[dict]:
    generator = np.random.default_rng(seed)
    examples = []
    for _ in range(count):
        length = int(generator.integers(3, longest))
        first = int(generator.integers(1, length))
        examples.append(
            {
                "input_ids": generator.integers(5, 60, length).tolist(),
                "attention_mask": [1] * length,
                "token_type_ids": [0] * first + [1] * (length - first),
                "labels": int(generator.integers(classes)),
            }
        )
    return examples


def plain_float64(model: torch.nn.Module, theta: torch.Tensor, examples: list[dict]) -> np.ndarray:
    """Loss, error and their standard errors, (4,), one example at a time in float64, with theta put in by name."""
    twin = copy.deepcopy(model).double().eval()
    start = 0
    with torch.no_grad():
        for p in twin.base_model.parameters():
            p.copy_(theta[start : start + p.numel()].view_as(p))
            start += p.numel()
        losses, errors = [], []
        for example in examples:
            fields = {k: torch.tensor([v]) for k, v in example.items() if k != "labels"}
            if isinstance(
                model, hf.DistilBertForSequenceClassification | hf.ModernBertForSequenceClassification
            ):
                fields.pop("token_type_ids", None)
            logits = twin(**fields).logits[0]
            losses.append(float(logits.logsumexp(0) - logits[example["labels"]]))
            errors.append(float(int(logits.argmax()) != example["labels"]))
    n = len(examples)
    return np.array(
        [np.mean(losses), np.mean(errors), np.std(losses, ddof=1) / n**0.5, np.std(errors, ddof=1) / n**0.5]
    )
