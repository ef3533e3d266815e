"""LoRA folders: what `peft` saves beside the model that it was trained on, merged into it while reading."""

from __future__ import annotations

from pathlib import Path

import transformers as hf
from safetensors import safe_open

from ..errors import UserError
from .models import ADAPTER, read_json, reading

WEIGHTS = "adapter_model.safetensors"


def saved_head(folder: Path) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the weights that an adapter holds whole, and not as a change of its base's."""
    modules = read_json(folder / ADAPTER).get("modules_to_save") or []
    with reading(folder), safe_open(folder / WEIGHTS, "pt") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return {name: shape for name, shape in shapes.items() if set(modules) & set(name.split("."))}


def merged(base: hf.PreTrainedModel, folder: Path) -> hf.PreTrainedModel:
    """The base with the adapter's changes added to its weights, W + (alpha / r) B A, and with the adapter's head."""
    try:
        from peft import PeftModel
    except ImportError:
        raise UserError(
            f"{folder} is an adapter of peft, which is not installed: pip install landscape_utils[lora], or save the "
            "merged model, by merge_and_unload() and save_pretrained()"
        ) from None
    try:
        model = PeftModel.from_pretrained(base, folder)
    except RuntimeError as error:  # of torch, for weights of another size
        reason = " ".join(str(error).split())
        raise UserError(f"{folder} does not fit the model that it names as its base: {reason:.200}") from None
    if model.active_peft_config.is_prompt_learning:
        kind = model.active_peft_config.peft_type.value
        raise UserError(
            f"{folder} is an adapter of the kind {kind}, which cannot be merged into the model's weights"
        )
    return model.merge_and_unload()
