"""Costs of a network, against PyTorch's own count of operations and against the parameters themselves."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForSequenceClassification

from landscape_utils import hub
from landscape_utils.costs import GLUE_SIZES, Network, network_config, task_sizes
from landscape_utils.errors import UserError
from landscape_utils.parameters import ParameterSpace
from landscape_utils.pretraining import demo_config
from landscape_utils.profiles import load_profile
from landscape_utils.study import Study

SMALL = {"num_hidden_layers": 3, "hidden_size": 48, "intermediate_size": 80, "num_attention_heads": 4}
CONFIGS = {
    "demo": demo_config(),
    "roberta": AutoConfig.for_model("roberta", **SMALL),
    "xlm": AutoConfig.for_model("xlm", n_layers=3, emb_dim=48, n_heads=4),  # its layers are no single list
    "distilbert": AutoConfig.for_model("distilbert", n_layers=4, dim=48, hidden_dim=80, n_heads=4),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_parameters_and_operations_are_those_of_the_model(name):
    config = CONFIGS[name]
    network = Network.of(config)
    config._attn_implementation = "eager"  # whose products the counter sees one by one
    model = AutoModelForSequenceClassification.from_config(config).eval()
    assert network.parameters == ParameterSpace(model).size
    rows, length = 3, 20
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.ones(rows, length, dtype=torch.long))
    # Pooler and head, on the first token only, are left out: at most two width x width products for an example.
    head = 2 * rows * (2 * network.width**2 + network.width * config.num_labels)
    counted = counter.get_total_flops()
    assert counted - head <= network.forward(rows * length, length) <= counted


def test_the_share_of_the_moving_layers():
    network = Network.of(CONFIGS["demo"])
    shares = [network.moving_share(first) for first in range(network.layers)]
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    assert shares[5] == pytest.approx(0.25 / 5.25)


def test_memory_holds_at_least_the_vectors_that_must_be_there():
    network = Network.of(CONFIGS["demo"])
    vector = 4 * network.parameters
    assert network.scan_bytes(1024, "float32") >= 5 * vector  # weights, buffer, origin, two directions
    assert network.scan_bytes(1024, "bfloat16") < network.scan_bytes(1024, "float32")
    assert network.training_bytes(200, 13) >= 4 * vector  # weights, gradients, two moments


@pytest.mark.parametrize(
    ("profile", "parameters"), [("minilm", 22_713_216), ("bert-base", 108_310_272), ("paper", 333_579_264)]
)
def test_the_known_networks_have_their_published_sizes(profile, parameters, tmp_path):
    """Parameters of the encoders with pooler: all-MiniLM-L6-v2, bert-base-cased and bert-large-cased."""
    assert Network.of(network_config(Study(profile, results_dir=tmp_path))).parameters == parameters


def test_sizes_are_those_of_the_data_or_else_the_known_ones(tmp_path):
    demo = Study("demo", results_dir=tmp_path)
    sizes, task = task_sizes(demo, "rte"), demo.task("rte")
    assert (sizes.train, sizes.dev) == (len(task.train), len(task.dev))
    assert sizes.dev_length == sum(len(e["input_ids"]) for e in task.dev) / len(task.dev)
    with hub.left_alone():
        paper = task_sizes(Study("paper", results_dir=tmp_path), "mnli")
        minilm = task_sizes(Study("minilm", results_dir=tmp_path), "sst2")
    assert (paper.train, paper.dev) == GLUE_SIZES["mnli"][:2] == (392_702, 9_815)
    assert minilm.train == load_profile("minilm").tasks["sst2"].train_limit


def test_a_model_that_nobody_knows_is_one_line(tmp_path):
    study = Study("demo", results_dir=tmp_path)
    model = study.profile.model.model_copy(update={"source": "nobody/knows-this"})
    study.profile = study.profile.model_copy(update={"model": model})
    with hub.left_alone(), pytest.raises(UserError, match="nobody/knows-this"):
        network_config(study)
