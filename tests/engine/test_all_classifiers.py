"""All sequence classifiers of the installed `transformers`, tiny and random: right against a plain loop, or refused."""

import copy
from contextlib import suppress
from importlib.util import find_spec

import numpy as np
import pytest
import torch
import transformers as hf
from networks import make_examples, without
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING as MAPPING

from landscape_utils import Line, Objective, ParameterSpace, UserError, scan

# sizes here, and what the configurations call them
SIZES = {
    96: "hidden_size d_model n_embd dim embed_dim emb_dim embedding_size pooler_hidden_size input_size d_latents "
    "entity_emb_size intermediate_size ffn_dim encoder_ffn_dim decoder_ffn_dim d_ff hidden_dim",
    192: "attention_hidden_size",
    128: "max_position_embeddings n_positions",
    60: "vocab_size entity_vocab_size vocab_size_per_layer_input",
    24: "head_dim d_kv qk_rope_head_dim qk_nope_head_dim v_head_dim",
    16: "coordinate_size shape_size rotary_dim",
    8: "q_lora_rank kv_lora_rank moe_intermediate_size num_latents",
    4: "num_attention_heads n_head n_heads num_heads encoder_attention_heads decoder_attention_heads num_experts "
    "num_local_experts n_routed_experts shared_expert_intermediate_size",
    2: "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers num_decoder_layers "
    "num_key_value_heads num_experts_per_tok first_k_dense_replace eos_token_id",
    1: "n_group topk_group n_shared_experts bos_token_id",
    0: "pad_token_id decoder_start_token_id",
}
# if None, too
ALWAYS = ("pad_token_id", "decoder_start_token_id", "vocab_size", "head_dim", "num_key_value_heads")
ROPE = {"full_attention": {"rope_type": "default", "rope_theta": 1e4}}
OWN = {  # what some need to be built at all
    "cohere_compass_text": {"rope_parameters": ROPE},
    "funnel": {"block_sizes": [1, 1], "block_repeats": [1, 1]},
    "reformer": {"axial_pos_embds_dim": (32, 64), "axial_pos_shape": (8, 16)},
    "t5": {"decoder_start_token_id": 0},
    "zamba": {"num_hidden_layers": 4, "layers_block_type": ["linear_attention", "hybrid"] * 2},
}


def tiny(config: hf.PreTrainedConfig) -> hf.PreTrainedConfig:
    """The configuration made small, and those within it."""
    for name, size in ((name, size) for size, names in SIZES.items() for name in names.split()):
        value = getattr(config, name, "none")
        if type(value) is int or (value is None and name in ALWAYS):
            with suppress(AttributeError, NotImplementedError):  # one that follows from others
                setattr(config, name, size)
    kinds = getattr(config, "layer_types", None)
    if kinds and not isinstance(getattr(type(config), "layer_types", None), property):
        config.layer_types = (sorted(set(kinds)) * 2)[:2]
    if hasattr(config, "kv_lora_rank"):
        config.num_key_value_heads = 4
    for name, value in OWN.get(config.model_type, {}).items():
        setattr(config, name, value)
    for inner in vars(config).values():
        if isinstance(inner, hf.PreTrainedConfig):
            tiny(inner)
    config.num_labels, config.pad_token_id = 3, 0
    return config


def plainly(model, examples) -> np.ndarray:
    """Loss and error, one example at a time by the model's own call: in float64, or in float32 if it fails in that."""
    twins = [copy.deepcopy(model).to(dtype).eval() for dtype in (torch.float64, torch.float32)]
    found = []
    for example in examples:
        fields = {name: torch.tensor([value]) for name, value in example.items() if name != "labels"}
        with torch.no_grad():
            try:
                logits = twins[0](**fields).logits[0]
            except RuntimeError:
                logits = torch.tensor(torch.nan)
            logits = logits if logits.isfinite().all() else twins[1](**fields).logits[0].double()
        label = example["labels"]
        found.append((float(logits.logsumexp(0) - logits[label]), int(logits.argmax()) != label))
    return np.mean(found, axis=0)


CLASSES = sorted(
    {(kind.__name__, config, kind) for config, kinds in MAPPING.items() for kind in np.atleast_1d(kinds)},
    key=lambda found: found[0],
)
if find_spec("detectron2") is None:
    CLASSES = [found for found in CLASSES if found[0] != "LayoutLMv2ForSequenceClassification"]


@pytest.mark.slow
@pytest.mark.parametrize(("config", "kind"), [pytest.param(c, k, id=name) for name, c, k in CLASSES])
def test_every_classifier_is_right_or_refused(config, kind):
    torch.manual_seed(0)
    model = kind(tiny(config())).float().eval()
    examples = make_examples(6)
    for example in examples:
        example["input_ids"][-1] = 2  # the end of a text, which BART and T5 look for
    try:
        objective = Objective(model, examples)
    except UserError as error:
        assert kind.__name__ in str(error) or "token_type_ids" in str(error)
        if "token_type_ids" not in str(error):
            with pytest.raises(Exception):  # noqa: B017 - the model's own call fails, too
                plainly(model, examples)
            return
        examples = without(examples, "token_type_ids")
        objective = Objective(model, examples)
    np.testing.assert_allclose(objective()[:2], plainly(model, examples), atol=1e-5)
    space = ParameterSpace(model)
    line = Line(space.read(), 0.01 * torch.randn(space.size, generator=torch.Generator().manual_seed(1)))
    found = scan(objective, line, [1.0], marks={})
    space.write(line.at(1.0))
    np.testing.assert_allclose([found.loss[0], found.error[0]], plainly(model, examples), atol=1e-5)
