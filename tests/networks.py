"""Small random classifiers and examples, and the plain way to measure them."""

import copy
import inspect
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from torch.nn.utils import vector_to_parameters

BERT_LIKE = {
    "vocab_size": 60,
    "max_position_embeddings": 48,
    "num_labels": 3,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
DEBERTA = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 2}
SETTINGS = {
    "bert": ("Bert", {}),
    "roberta": ("Roberta", {"pad_token_id": 1}),
    "electra": ("Electra", {"embedding_size": 16}),
    "mpnet": ("MPNet", {"pad_token_id": 1}),
    "albert": ("Albert", {"embedding_size": 16}),
    "deberta": ("DebertaV2", DEBERTA),
    "distilbert": ("DistilBert", {"dim": 24, "n_layers": 3, "n_heads": 2, "hidden_dim": 32}),
    "modernbert": ("ModernBert", {"pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 8}),
}
OTHERS = {  # without an attention mask, and decoders
    "fnet": ("FNet", {}),
    "gpt2": ("GPT2", {"bos_token_id": 1, "eos_token_id": 2}),
    "openai-gpt": ("OpenAIGPT", {"pad_token_id": 0}),
}
ALL = {
    kind: (getattr(hf, f"{name}Config"), getattr(hf, f"{name}ForSequenceClassification"), BERT_LIKE | own)
    for kind, (name, own) in (SETTINGS | OTHERS).items()
}
MODELS = {kind: ALL[kind] for kind in SETTINGS}
LAYERED = sorted(set(MODELS) - {"albert"})  # whose layers have weights of their own


def make_model(kind: str = "bert", seed: int = 0, **changes) -> torch.nn.Module:
    config, model, settings = ALL[kind]
    torch.manual_seed(seed)
    return model(config(**settings | changes))


def make_examples(count: int = 13, seed: int = 0) -> list[dict]:
    generator = np.random.default_rng(seed)
    examples = []
    for _ in range(count):
        length = int(generator.integers(3, 17))
        first = int(generator.integers(1, length))
        example = {
            "input_ids": generator.integers(5, 60, length).tolist(),
            "attention_mask": [1] * length,
            "token_type_ids": [0] * first + [1] * (length - first),
            "labels": int(generator.integers(3)),
        }
        examples.append(example)
    return examples


def without(examples: list[dict], field: str) -> list[dict]:
    return [{name: value for name, value in example.items() if name != field} for example in examples]


def plain_outcomes(model: torch.nn.Module, theta: torch.Tensor, examples: list[dict]) -> np.ndarray:
    """(2, n) loss and error, one example at a time in float64, with theta put in by PyTorch's own function."""
    twin, found = copy.deepcopy(model).double().eval(), []
    vector_to_parameters(theta.double(), twin.base_model.parameters())
    taken = inspect.signature(model.forward).parameters.keys() - {"labels"}
    with torch.no_grad():
        for example in examples:
            fields = {name: torch.tensor([example[name]]) for name in example.keys() & taken}
            logits, label = twin(**fields).logits[0], example["labels"]
            found.append((float(logits.logsumexp(0) - logits[label]), int(logits.argmax()) != label))
    return np.array(found).T


def plain_float64(model: torch.nn.Module, theta: torch.Tensor, examples: list[dict]) -> np.ndarray:
    """Loss, error and their standard errors, (4,)."""
    found = plain_outcomes(model, theta, examples)
    return np.concatenate([found.mean(axis=1), found.std(axis=1, ddof=1) / len(examples) ** 0.5])


def save_masked_words(kind: str, folder: Path) -> None:
    """A model of masked words, such as classifiers begin with."""
    config, _, settings = MODELS[kind]
    hf.AutoModelForMaskedLM.from_config(config(**settings)).save_pretrained(folder)
