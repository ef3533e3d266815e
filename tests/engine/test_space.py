"""ParameterSpace: the flat vector holds the encoder and nothing else, and attaching leaves no trace."""

import pytest
import torch
import transformers as hf
from networks import BERT_LIKE, LAYERED, MODELS, make_model

from landscape_utils import ParameterSpace, UserError, layer_groups
from landscape_utils.engine.space import layer_ranges


@pytest.mark.parametrize("kind", MODELS)
def test_theta_is_the_encoder_in_order_without_the_head(kind):
    model = make_model(kind)
    space = ParameterSpace(model)
    theta = space.read()
    assert theta.shape == (space.size,)
    assert theta.dtype == torch.float32
    assert space.size == sum(p.numel() for p in model.base_model.parameters())
    assert space.size < sum(p.numel() for p in model.parameters())
    for name, p in model.base_model.named_parameters():
        assert torch.equal(theta[space.slices[name]], p.detach().reshape(-1))
    model.config.landscape_head = ["embeddings"]
    rest = tuple(name for name in space.names if not name.startswith("embeddings."))
    assert ParameterSpace(model).names == rest != space.names, "what is named counts as head"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attached_weights_are_views_and_come_back_to_the_bit(model, dtype):
    space = ParameterSpace(model)
    before = {name: (p.data_ptr(), p.detach().clone()) for name, p in model.named_parameters()}
    with pytest.raises(RuntimeError, match="on purpose"), space.attached(dtype) as buffer:
        buffer.fill_(3)
        assert all((p == 3).all() and p.dtype == dtype for p in model.base_model.parameters())
        raise RuntimeError("on purpose")
    for name, p in model.named_parameters():
        assert p.data_ptr() == before[name][0]
        assert torch.equal(p, before[name][1])


@pytest.mark.parametrize("kind", LAYERED)
def test_groups_are_disjoint_and_are_all_layers(kind):
    assert layer_ranges(24) == {"low": (0, 7), "middle": (8, 15), "high": (16, 23)}, "the paper's"
    assert layer_ranges(4) == {"low": (0, 1), "middle": (2, 2), "high": (3, 3)}
    model = make_model(kind)
    names = [name for group in layer_groups(model).values() for name in group]
    assert len(names) == len(set(names))
    everything = {name for name, _ in model.base_model.named_parameters()}
    assert set(names) <= everything
    assert not any(name.startswith("embeddings.") or "pooler" in name for name in names)
    assert len(everything - set(names)) < len(everything) / 2


NO_STACK = [
    hf.XLMConfig(emb_dim=24, n_layers=3, n_heads=2),  # attentions, norms and feed-forward networks
    hf.FunnelConfig(block_sizes=[3] * 3, d_model=24, n_head=2, d_head=12, d_inner=32),  # lists of lists
    hf.BartConfig(d_model=32, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_layers=6, decoder_layers=3),
    hf.T5Config(d_model=24, num_layers=3, d_kv=12, d_ff=32, num_heads=2),
    # two layers, and in each, four networks
    hf.MobileBertConfig(**BERT_LIKE | {"num_hidden_layers": 2}, embedding_size=24, intra_bottleneck_size=24),
    hf.BertConfig(**BERT_LIKE | {"num_hidden_layers": 2}),
    hf.AlbertConfig(**BERT_LIKE),
]


@pytest.mark.parametrize("config", NO_STACK, ids=lambda config: config.model_type)
def test_layers_that_are_no_stack_of_three_have_no_groups(config):
    with torch.device("meta"):
        model = hf.AutoModelForSequenceClassification.from_config(config)
    has = {"mobilebert": "2", "bert": "2", "albert": "1"}.get(config.model_type, "no such stack")
    words = rf"a stack of three or more layers .*; {type(model).__name__} has {has}"
    with pytest.raises(UserError, match=words):
        layer_groups(model)


def test_what_is_no_vector_no_name_and_no_model_is_refused(model):
    space, names = ParameterSpace(model), ("pooler.dense.weight", "pooler")
    for act, message in {
        lambda: space.write(torch.zeros(3)): rf"shape \({space.size},\).*got torch.float32 \(3,\)",
        lambda: space.write(space.read().half()): "must be float32 or float64 .*; got torch.float16",
        lambda: space.write(None): "got NoneType",
        lambda: space.restrict(space.read(), names): r"no parameter 'pooler', but 'embeddings\.word",
        lambda: ParameterSpace(None): "a model of transformers is needed; got NoneType",
        lambda: layer_groups(None): "a model of transformers is needed; got NoneType",
    }.items():
        with pytest.raises(UserError, match=message):
            act()
    model.base_model.pooler.half()
    with pytest.raises(UserError, match=r"torch.float16 on cpu, torch.float32 on cpu"):
        ParameterSpace(model)
