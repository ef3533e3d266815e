"""Pre-training of the demo's BERT on the embedded corpus: masked words and next sentence.

As Devlin et al. 2018, section 3.1, but that Muon trains the weight matrices of the layers: with AdamW alone a network
this small learns the topics of the words and not, in the time that we have, which words are synonyms.
"""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from torch import nn
from torch.optim import AdamW

from ..progress import quiet
from ..store import recipes
from ..store.files import full_disk_told, intact, keep_checksums, logger
from ..store.store import Store
from .demo_language import VOCABULARY, make_corpus, make_tokenizer


@dataclass(frozen=True)
class Recipe:
    """Everything the pre-trained weights depend on."""

    seed: int = 0
    pairs: int = 20_000
    steps: int = 1000
    batch_size: int = 64
    masked: float = 0.25
    muon_rate: float = 0.01
    momentum: float = 0.95  # of Muon
    adam_rate: float = 3e-3
    warmup: float = 0.1
    output_scale: float = 0.1  # of what each sublayer adds to the residual stream at the start


DEMO = Recipe()
NETWORK: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 96,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "max_position_embeddings": 40,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.05,  # BERT's 0.02 is about half of 1 / sqrt(768); this is half of 1 / sqrt(96)
}


def demo_config() -> hf.BertConfig:
    """A BERT of 6 layers and 562,944 encoder parameters."""
    return hf.BertConfig(**NETWORK)


class MuonAdamW(AdamW):
    """Muon (Jordan 2024) for the 2-D weights of ``layers``, in float32, and AdamW for the rest of ``model``.

    `torch.optim.Muon` multiplies in bfloat16, which takes twenty times as long on a CPU that only imitates it.
    """

    def __init__(self, model: nn.Module, layers: nn.Module, recipe: Recipe):
        matrices = [p for p in layers.parameters() if p.ndim == 2]
        inside = {id(p) for p in matrices}
        rest = [p for p in model.parameters() if id(p) not in inside]
        groups = [{"params": rest, "lr": recipe.adam_rate}, {"params": matrices, "lr": recipe.muon_rate}]
        super().__init__(groups, betas=(0.9, 0.98), weight_decay=0.01)
        self.momentum = recipe.momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        _, muon = self.param_groups
        for p in muon["params"]:
            mean = self.state[p].setdefault("mean", torch.zeros_like(p))
            mean.lerp_(p.grad, 1 - self.momentum)
            step = orthogonalised(p.grad.lerp(mean, self.momentum))  # Nesterov's momentum
            rows, columns = p.shape
            p.sub_(step, alpha=muon["lr"] * max(1.0, rows / columns) ** 0.5)
            p.grad = None  # AdamW leaves out what has none
        super().step()


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """About U V^T of a matrix U S V^T, (R, C): five steps of Newton and Schulz take each singular value near 1.

    The values start at s / |S|, and a step takes s to 3.4445 s - 4.775 s^3 + 2.0315 s^5 (Jordan 2024).
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalised(matrix.T).T
    x = matrix / matrix.norm().clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.T  # (R, R)
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x


def recipe_key(recipe: Recipe = DEMO) -> str:
    """16 hex digits that change where the recipe, the network or the language changes."""
    sample = make_corpus(recipe.seed, size=100)
    return recipes.recipe_key({"recipe": asdict(recipe), "network": NETWORK, "corpus": sample})


def pretrained_folder(cache: Path, recipe: Recipe = DEMO) -> Path:
    """The folder of the pre-trained model and its tokenizer, made on the first call, by one process only."""

    def make(folder: Path) -> None:
        model = pretrain(recipe)
        with quiet():
            model.save_pretrained(folder)
        make_tokenizer().save_pretrained(folder)

    return made_once(pretrained_path(cache, recipe), make)


def pretrained_path(cache: Path, recipe: Recipe = DEMO) -> Path:
    """Where `pretrained_folder` puts it."""
    return cache / f"demo-{recipe_key(recipe)}"


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """A folder that `make` has filled: whole or not there, and by one process only. A damaged one is made anew."""
    if not intact(folder):
        with Store(folder.parent).lock(folder):
            if not intact(folder):
                if folder.exists():
                    logger.warning("%s is not what was saved, and is made anew", folder)
                unfinished = folder.with_name(f"{folder.name}.unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)  # of one that was killed
                unfinished.mkdir()
                with full_disk_told(folder), ExitStack() as stack:
                    stack.callback(shutil.rmtree, unfinished, ignore_errors=True)
                    make(unfinished)
                    keep_checksums(unfinished)
                    shutil.rmtree(folder, ignore_errors=True)
                    os.replace(unfinished, folder)
    return folder


def pretrain(recipe: Recipe = DEMO) -> hf.BertForPreTraining:
    """The demo's BERT after pre-training on the CPU; the same recipe on one thread gives the same bits."""
    hf.set_seed(recipe.seed)
    model = initial_model(recipe)
    learn_words(model, model.bert.encoder, recipe, "pre-training of the demo's BERT")
    return model.eval()


def initial_model(recipe: Recipe) -> hf.BertForPreTraining:
    """BERT's own start, but that the sublayers add little to the residual stream at first."""
    model = hf.BertForPreTraining(demo_config())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("output.dense.weight"):
                parameter.mul_(recipe.output_scale)
    return model


def learn_words(model: hf.PreTrainedModel, layers: nn.Module, recipe: Recipe, what: str) -> None:
    """Train a model of masked words, perhaps also of the next sentence, on the corpus; Muon trains `layers`."""
    from .trainer import StepTrainer, arguments

    tokenizer = make_tokenizer()
    first, second, labels = zip(*make_corpus(recipe.seed, recipe.pairs), strict=True)
    encoded = {**tokenizer(list(first), list(second)), "next_sentence_label": labels}
    taken = [name for name in encoded if name in inspect.signature(model.forward).parameters]
    optimizer = MuonAdamW(model, layers, recipe)
    warmup = int(recipe.warmup * recipe.steps)
    StepTrainer(
        what=what,
        model=model,
        args=arguments(
            device="cpu",
            seed=recipe.seed,
            max_steps=recipe.steps,
            per_device_train_batch_size=recipe.batch_size,
            max_grad_norm=1.0,
        ),
        train_dataset=[{name: encoded[name][i] for name in taken} for i in range(recipe.pairs)],
        data_collator=hf.DataCollatorForLanguageModeling(tokenizer, mlm_probability=recipe.masked),
        optimizers=(optimizer, hf.get_linear_schedule_with_warmup(optimizer, warmup, recipe.steps)),
    ).train()
