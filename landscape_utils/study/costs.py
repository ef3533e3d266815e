"""What the cost of a study depends on: the network and the sizes of the tasks, known without fetching either."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, BertConfig, PretrainedConfig

from ..engine.space import ParameterSpace, layer_stack
from ..errors import UserError
from ..training import hub, pretraining
from .study import Study

KNOWN_NETWORKS: dict[str, dict[str, Any]] = {
    "minilm": {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    "bert-base-cased": {"vocab_size": 28996},
    "bert-large-cased": {
        "vocab_size": 28996,
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
}
# Examples of train and dev, and their mean length in MiniLM's tokens (of MNLI, of a sample of it).
GLUE_SIZES = {
    "mnli": (392_702, 9_815, 40.2, 39.1),
    "rte": (2_490, 277, 66.6, 64.6),
    "sst2": (67_349, 872, 13.4, 25.2),
    "mrpc": (3_668, 408, 53.2, 53.2),
}


@dataclass(frozen=True)
class Sizes:
    """Examples of a task's splits, and their mean length in tokens."""

    train: int
    dev: int
    train_length: float
    dev_length: float


LIBRARIES = 600_000_000  # resident bytes of a process that has imported this package and done some work
TOKEN_BYTES = 52  # of a token in the lists of an example: its id, and its entries in the two masks
BYTES = {"float32": 4, "tf32": 4, "float16": 2, "bfloat16": 2, "auto": 4}


# The share of the last layer that is computed where the head reads the first token alone: three of its twelve
# width x width products, before the attention (`shortcuts.first_token_only`).
LAST_LAYER = 0.25


@dataclass(frozen=True)
class Network:
    """What the costs of a classifier depend on.

    Attributes:
        parameters: P, of the encoder; `matrices`: how many of them each token is multiplied by.
        layers, width: of the stack of layers, and of a token's vector.
    """

    parameters: int
    matrices: int
    layers: int
    width: int

    @classmethod
    def of(cls, config: PretrainedConfig) -> Network:
        """The network of a configuration; its weights are not made."""
        with torch.device("meta"):
            model = AutoModelForSequenceClassification.from_config(config)
        stack = layer_stack(model)
        body, layers = (stack[1], len(stack[1])) if stack else (model.base_model, config.num_hidden_layers)
        matrices = sum(m.weight.numel() for m in body.modules() if isinstance(m, nn.Linear))
        return cls(ParameterSpace(model).size, matrices, layers, config.hidden_size)

    def forward(self, tokens: float, length: float) -> float:
        """Floating-point operations of a forward pass over `tokens` tokens in examples of `length` tokens.

        Two for each weight and token in matrix products, and 4 L T d for each token in attention's two.
        """
        return (2 * self.matrices + 4 * self.layers * length * self.width) * tokens

    def moving_share(self, first: int) -> float:
        """The share of a visit's work that is left where the output of the layers below `first` is replayed."""
        return (self.layers - 1 - first + LAST_LAYER) / (self.layers - 1 + LAST_LAYER)

    def scan_bytes(self, batch_tokens: int, precision: str) -> int:
        """Memory of a scan: weights, the buffer they are views of, origin, two directions; one layer's activations."""
        size = BYTES[precision]
        return 4 * 4 * self.parameters + size * (self.parameters + 20 * batch_tokens * self.width)

    def training_bytes(self, batch_tokens: float, length: float) -> int:
        """Memory of training: weights, gradients, Adam's two moments, and the activations kept for going back.

        The activations of a layer are some 17 vectors and 2.5 attention maps a token (Korthikanti et al. 2022,
        section 4), at four bytes: under autocast most of them stay float32.
        """
        kept = 17 * self.width + 2.5 * length * max(self.width // 64, 1)
        return 4 * int(4 * self.parameters + self.layers * batch_tokens * kept)

    def host_bytes(self, tokens: float) -> int:
        """Memory beside the device's: the libraries, a task of so many tokens, and vectors: the five that span a plane
        and the sixteen that Lanczos's method keeps."""
        return LIBRARIES + 21 * 4 * self.parameters + int(TOKEN_BYTES * tokens)


def task_sizes(study: Study, name: str) -> Sizes:
    """The sizes of a task as they are, or, where GLUE is not at hand, as they are known to be."""
    spec = study.profile.tasks[name]
    try:
        facts = study.facts(name)
    except UserError:
        if spec.source != "glue" or study.profile.data_dir:
            raise
        train, dev, train_length, dev_length = GLUE_SIZES[name]
        return Sizes(min(spec.train_limit or train, train), dev, train_length, dev_length)
    train, dev = facts["train_examples"], facts["dev_examples"]
    return Sizes(train, dev, facts["train_tokens"] / train, facts["dev_tokens"] / dev)


def network_config(study: Study) -> PretrainedConfig:
    """The configuration of the profile's network; of a model on the hub that alone is fetched."""
    source = study.profile.model.source
    if source == "demo":
        return pretraining.demo_config()
    if source in KNOWN_NETWORKS:
        return BertConfig(**KNOWN_NETWORKS[source])
    if not Path(source).is_dir():
        hub.answers()
    try:
        return AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        raise UserError(f"model {source!r}: no configuration here or on the hub: {error}") from None
