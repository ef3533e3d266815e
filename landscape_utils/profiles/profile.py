"""What a profile holds, part by part, each checked as it is made, and frozen: what differs is another profile."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ..names import TASK_NAMES, task_key


def among(name: str, allowed: Iterable[str]) -> str:
    """The end of an error line: the allowed names, and the one that was perhaps meant."""
    near = difflib.get_close_matches(str(name), list(allowed), n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f": choose from {', '.join(allowed)}{hint}"


def _each_once(names: Any) -> Any:
    """A list, or the keys of a table, in which nothing stands twice: not even a task under two spellings."""
    keys = [task_key(name) for name in names] if isinstance(names, list | dict) else []
    if twice := [key for key in keys if key != "" and keys.count(key) > 1]:
        raise ValueError(f"{twice[0]!r} stands there twice; name it once")
    return names


def _beside(path: str, info: Any) -> str:
    """What a profile's file names is looked for beside that file first."""
    beside = Path((info.context or {}).get("folder", "")) / path
    return str(beside) if path and os.path.exists(beside) else path


def _source(source: str, info: Any) -> str:
    """A model that the package brings is never taken for a folder of the same name."""
    return source if source in ("demo", "minilm", "mpnet") else _beside(source, info)


# It becomes part of file names and of comma-separated lists: nothing in it has a meaning there.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
TaskName = Annotated[str, BeforeValidator(task_key)]  # of a task that the profile has
Once = BeforeValidator(_each_once)
PathName = Annotated[str, AfterValidator(_beside)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Points = Annotated[int, Field(ge=2, le=10_000)]  # more are a slip of the keyboard: a plane has their square


class Part(BaseModel):
    """A part of a profile: frozen, strict about types (a string is no number) and about unknown fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _know_the_fields(cls, table: Any) -> Any:
        unknown = sorted(set(table) - set(cls.model_fields)) if isinstance(table, dict) else []
        if unknown:
            raise ValueError(f"unknown field {unknown[0]!r}{among(unknown[0], cls.model_fields)}")
        return table


class ModelSpec(Part):
    """The encoder: "demo", "minilm", "mpnet", a name on the hub or a folder; inputs are cut to `max_length` tokens.

    `fresh` names modules of the encoder that were never trained, such as a pooler: they are drawn anew with the head,
    and count as head.
    """

    source: Annotated[str, Field(min_length=1), AfterValidator(_source)]
    max_length: Annotated[int, Field(ge=4)]
    fresh: list[str] = []


class Training(Part):
    """What differs between tasks: passes over the train split, peak learning rate, examples a step."""

    epochs: Count
    learning_rate: Positive
    batch_size: Count


class TrainingSpec(Part):
    """What all trainings share: AdamW, linear warm-up over a share of the steps, linear decay to 0."""

    warmup: Share
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    betas: Annotated[list[Share], Field(min_length=2, max_length=2)]
    epsilon: Positive
    max_grad_norm: Positive
    precision: Literal["float32", "bfloat16"]


class Files(Part):
    """A user's own task: CSV, TSV, JSON or JSONL files, one or two text columns and a label column."""

    train: PathName
    dev: PathName
    text: Annotated[list[str], Field(min_length=1, max_length=2)]
    label: str


class TaskSpec(Part):
    """A task, its trainings, and the `other` task whose direction is delta_2 of its plane (section 3.2)."""

    source: Literal["demo", "glue", "files"]
    other: TaskName
    pretrained: Training
    scratch: Training
    tried: list[Positive] = []  # other learning rates of fine-tuning, which the dev set did not choose
    train_limit: Annotated[int, Field(ge=0)] = 0  # 0: the whole train split
    files: Files | None = None

    @model_validator(mode="after")
    def _files_belong_to_files(self) -> Self:
        if (self.files is not None) != (self.source == "files"):
            raise ValueError('a table "files" goes with source = "files", and with no other')
        return self


class Overfitting(Part):
    """Figure 4: the task that is trained on for more epochs."""

    task: TaskName
    extra_epochs: Count


class Grid(Part):
    """Points an axis over [-span, span], in units of |delta_1|: of surfaces, and of curves, which cost less.

    With a `tolerance`, as `scan` takes it, a surface's points are interpolated where that is good enough.
    """

    resolution: Points
    span: Annotated[float, Field(gt=0, le=1e6)]
    curve_resolution: Points = 41
    tolerance: Positive | Literal["stderr"] | None = None

    def axes(self, dimensions: int) -> list[np.ndarray]:
        """The coordinates along each axis: (curve_resolution,) of a line, (resolution,) twice of a plane."""
        points = self.curve_resolution if dimensions == 1 else self.resolution
        return [np.linspace(-self.span, self.span, points)] * dimensions


def several(count: int) -> int:
    if count == 1:
        raise ValueError("must be 0, for all, or 2 or more, for one has no standard error; got 1")
    return count


Examples = Annotated[int, Field(ge=0), AfterValidator(several)]


class Sample(Part):
    """How many examples of each split a surface is computed on, two or more; 0: all."""

    train: Examples
    dev: Examples


class Layers(Part):
    """Figure 7: the tasks whose layer groups are scanned."""

    tasks: Annotated[list[TaskName], Field(min_length=1), Once]


class Profile(Part):
    """Everything a study depends on.

    `chosen` are the tasks that the study is about, all of `tasks` unless told otherwise; the others stay for
    the directions that they lend. `data_dir` is a folder in the GLUE layout; empty: the hub.
    """

    name: Name
    model: ModelSpec
    tasks: Annotated[dict[Annotated[Name, BeforeValidator(task_key)], TaskSpec], Field(min_length=2), Once]
    training: TrainingSpec
    overfitting: Overfitting
    grid: Grid
    sample: Sample
    layers: Layers
    seeds: Annotated[list[Seed], Field(min_length=1), Once]
    # Of the trainings whose surfaces are scanned, which cost most; none: all of them.
    surface_seeds: list[Seed] = []
    # Of further trainings, which are shown where their results are kept, and computed if one is asked for by its seed.
    extra_seeds: list[Seed] = []
    precision: Literal["float32", "float16", "bfloat16", "tf32"]
    side_by_side: bool
    chosen: Annotated[list[TaskName], Once] = []
    data_dir: PathName = ""

    @model_validator(mode="after")
    def _tasks_are_known(self) -> Self:
        for name, spec in self.tasks.items():
            if spec.source != "files" and name not in TASK_NAMES:
                raise ValueError(f"task {name!r} of source {spec.source!r}{among(name, TASK_NAMES)}")
            if spec.other == name:
                raise ValueError(f"tasks.{name}.other is the task itself; delta_2 needs another one")
        named = [spec.other for spec in self.tasks.values()]
        for name in [*self.chosen, *named, self.overfitting.task, *self.layers.tasks]:
            if name not in self.tasks:
                raise ValueError(f"unknown task {name!r}{among(name, self.tasks)}")
        for seed in self.surface_seeds:
            if seed not in self.seeds:
                raise ValueError(f"surface_seeds has {seed}, which is none of seeds = {self.seeds}")
        for seed in self.extra_seeds:
            if seed in self.seeds:
                raise ValueError(f"extra_seeds has {seed}, which is one of seeds = {self.seeds}")
        if not self.chosen:
            object.__setattr__(self, "chosen", list(self.tasks))
        return self
