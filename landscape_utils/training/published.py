"""What is published of the data sets and the models, for what has to be known where neither is at hand."""

from pathlib import Path
from typing import Any

import transformers as hf

from ..profiles.profile import ModelSpec
from . import hub
from .models import reading
from .pretraining import demo_config

# Examples of train and dev, and their mean length in MiniLM's tokens (of MNLI, of a sample of it).
GLUE_SIZES = {
    "mnli": (392_702, 9_815, 40.2, 39.1),
    "rte": (2_490, 277, 66.6, 64.6),
    "sst2": (67_349, 872, 13.4, 25.2),
    "mrpc": (3_668, 408, 53.2, 53.2),
}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {  # the configuration's class and values
    "minilm": ("BertConfig", {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536}),
    "mpnet": ("MPNetConfig", {"max_position_embeddings": 514}),
    "bert-base-cased": ("BertConfig", {"vocab_size": 28_996}),
    "bert-large-cased": ("BertConfig", {"vocab_size": 28_996, **LARGE}),
}


def network_config(spec: ModelSpec) -> hf.PretrainedConfig:
    """The configuration of a profile's network; of a model on the hub that alone is fetched. May raise UserError."""
    if spec.source == "demo":
        return demo_config()
    if spec.source in NETWORKS:
        kind, values = NETWORKS[spec.source]
        return getattr(hf, kind)(**values)
    folder = Path(spec.source).expanduser()
    if not folder.is_dir():
        folder = hub.fetched(spec.source, ["config.json"], "set the model's source to a local folder")
    with reading(folder):
        return hf.AutoConfig.from_pretrained(folder, trust_remote_code=False)
