"""What every notebook begins with: the toy world, one training, and what other runs have left.

From the world come ``train``, ``held_out`` (a tenth of it, whose masks may choose thresholds),
``rest`` (the others, on which figures are read off) and ``val`` (new images).

The environment variable ``WSSS_MODE`` says how long the one training of a notebook takes:
``fast`` as the notebook says, ``full`` by the whole recipe, ``smoke`` a few steps for tests.
``WSSS_DATA`` is the folder of worlds and of finished stages.
"""

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from textwrap import dedent, wrap
from typing import Any

import numpy as np
from safetensors.torch import load_file
from torch import Tensor

sys.path.append(str(Path(__file__).with_name("_ext")))

from exercises import check
from measured import results_folder
from stored_figures import DATA, chosen, gallery, world

from wsss_lib.blocks.maps.class_maps import to_labels
from wsss_lib.core import InputError, Method
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.engine import Stage, fit, run, seed_everything
from wsss_lib.evaluate import choose_threshold, evaluate
from wsss_lib.gallery import Gallery
from wsss_lib.results import read_result
from wsss_lib.show import Picture, contact_sheet, plot_curves, show_labels, show_maps
from wsss_lib.show.picture import FONT, INK, drawn_on, line_colour

MODE = os.environ.get("WSSS_MODE", "fast")
SMOKE_STEPS = 12
SEED = 0
COLUMNS = 76
"""Characters of a line of code that a page shows without cutting it off."""

__all__ = [
    "DATA", "WeakView", "ask", "check", "chosen", "contact_sheet", "evaluate", "finished",
    "labels_of", "plot_curves", "plot_losses", "show_labels", "show_maps",
    "show_source", "steps_of", "stored", "train_for", "train_live", "world",
]  # fmt: skip


def __getattr__(name: str) -> SegmentationFolder:
    """The parts of the toy world, drawn where somebody asks for them first."""
    if name in ("train", "val"):
        return world("standard", name)
    if name in ("held_out", "rest"):
        return _halves()[name == "rest"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _halves() -> tuple[SegmentationFolder, SegmentationFolder]:
    return world().held_out()


def steps_of(method: Method, steps: int | None = None, smoke: int | None = None) -> int:
    """How many steps a training takes here.

    Args:
        method: with its recipe.
        steps: in ``fast`` mode, where a notebook does not wait for the whole recipe.
        smoke: in ``smoke`` mode, where a notebook checks what was learned.

    Raises:
        InputError: ``WSSS_MODE`` is no mode.
    """
    whole = method.recipe.steps
    wanted = {"smoke": smoke or SMOKE_STEPS, "fast": steps or whole, "full": whole}
    if MODE not in wanted:
        raise InputError(f"WSSS_MODE is {MODE!r}; choose from {', '.join(wanted)}.")
    return min(wanted[MODE], whole)


def train_live(
    make: Callable[[int], Method],
    view: WeakView,
    held_out: SegmentationFolder | None = None,
    *,
    after: Stage | None = None,
    steps: int | None = None,
    smoke: int | None = None,
) -> Stage:
    """Train one system and ask it about every image of the view; a second call finds it done.

    Args:
        make: the number of classes -> the method, such as ``CAM.toy``; called under the seed.
        view: what it may see.
        held_out: images whose masks choose the threshold, if any.
        after: the stage whose scores it refines or learns from, if any.
        steps: in ``fast`` mode, where it should take fewer than its recipe.
        smoke: steps in ``smoke`` mode, where what was learned is checked.
    """
    seed_everything(SEED)
    method = make(len(view.classes))
    shorten(method, steps, smoke)
    return _stage(method, view, held_out, after)


def shorten(method: Method, steps: int | None = None, smoke: int | None = None) -> None:
    """Leave a recipe the steps that a training takes here (``steps_of``), and say how many."""
    whole = method.recipe.steps
    method.recipe = replace(method.recipe, steps=steps_of(method, steps, smoke))
    print(f"{method.card.name}: {method.recipe.steps} of the {whole} steps of its recipe")


def train_for(steps: int, make: Callable[[int], Method], view: WeakView) -> Method:
    """A method after a few steps of training."""
    seed_everything(SEED)
    method = make(len(view.classes))
    method.recipe = replace(method.recipe, steps=steps)
    fit(method, view, seed=SEED)
    return method


def ask(
    method: Method,
    view: WeakView,
    held_out: SegmentationFolder | None = None,
    *,
    after: Stage | None = None,
) -> Stage:
    """What a method says of every image of the view, as it stands: nothing is trained.

    Args:
        method: training-free, such as ``PAMR()``, or trained; its recipe loses its steps.
        view: what it may see.
        held_out: images whose masks choose the threshold, if any.
        after: the stage whose scores it refines, if any.
    """
    method.recipe = replace(method.recipe, steps=0)
    return _stage(method.eval(), view, held_out, after)


def finished(
    make: Callable[[int], Method],
    view: WeakView,
    held_out: SegmentationFolder | None = None,
    of: str = "standard",
) -> Stage:
    """A system that was trained before: its stored weights, asked about every image of the view.

    Args:
        make: the number of classes -> the method, such as ``CAM.toy``.
        view: what it may see.
        held_out: images whose masks choose the threshold, if any.
        of: the world that it was trained in.

    Raises:
        InputError: no weights of it are stored.
    """
    method = make(len(view.classes))
    path = results_folder() / "weights" / of / f"{method.card.id}.safetensors"
    if not path.is_file():
        raise InputError(f"No weights at {path}: `python -m experiments.evidence cam` stores them.")
    method.load_state_dict(load_file(path))  # half precision on disk, full precision in the method
    return ask(method, view, held_out)


def _stage(
    method: Method, view: WeakView, held_out: SegmentationFolder | None, after: Stage | None
) -> Stage:
    if after is not None:
        view = view.with_scores(after.scores)
        if method.threshold is None:
            method.threshold = after.threshold

    def calibrate(scores: Any) -> float:
        return choose_threshold(scores, held_out)

    stages = run(
        [method], view, folder=DATA / "runs", seed=SEED,
        calibrate=calibrate if held_out is not None else None,
    )  # fmt: skip
    return stages[0]


def show_source(*parts: Callable[..., Any]) -> None:
    """Print the source of functions, in lines that no page cuts off."""
    for number, part in enumerate(parts):
        lines = dedent(inspect.getsource(part)).splitlines()
        print("\n" * bool(number) + "\n".join(line for long in lines for line in _wrapped(long)))


def _wrapped(line: str, indent: str = "        ") -> list[str]:
    start = line[: len(line) - len(line.lstrip())]
    return wrap(
        line, COLUMNS, subsequent_indent=start + indent, drop_whitespace=True,
        break_long_words=False, break_on_hyphens=False,
    ) or [""]  # fmt: skip


def plot_losses(losses: Sequence[float]) -> Picture:
    """The loss of every step, and its mean over the last twenty."""
    figure, axis = drawn_on(6.0, 2.6)
    steps = np.arange(1, len(losses) + 1)
    smooth = [np.mean(losses[max(0, n - 20) : n]) for n in steps]
    axis.plot(steps, losses, color=line_colour(0), linewidth=0.8, alpha=0.6, label="each step")
    axis.plot(steps, smooth, color=line_colour(1), linewidth=2, label="mean of 20")
    axis.set_xlabel("step", fontsize=FONT)
    axis.set_ylabel("loss", fontsize=FONT)
    axis.legend(fontsize=FONT, frameon=False, labelcolor=INK)
    return figure


def labels_of(stage: Any, id: str) -> Tensor:
    """(H, W) class indices that a stage's own threshold cuts from its scores; 0.5 without one."""
    return to_labels(stage.scores[id][None].float(), stage.threshold or 0.5)[0]


@dataclass(frozen=True)
class Stored:
    """What an experiment has left of a system.

    Attributes:
        maps: what it says of some images, ``maps.common`` and ``maps.extremes``.
        result: its figures over several worlds and seeds.
        count: C.
    """

    maps: Gallery
    result: dict[str, Any]
    count: int

    @property
    def threshold(self) -> float:
        """Where its labels are cut from its scores."""
        return self.maps.threshold

    @property
    def scores(self) -> dict[str, Tensor]:
        """(C, H, W) scores in [0, 1] of the stored images, by id."""
        return {id: self.maps.scores(id, self.count) for id in self.maps.maps}

    def figure(self, metric: str = "miou") -> str:
        """Mean and standard deviation of a figure over the stored runs."""
        found = self.result["summary"][metric]
        spread = f" ± {found['sd']:.3f} ({found['n']} runs)" if found["n"] > 1 else ""
        return f"{found['mean']:.3f}{spread}"


def stored(id: str, of: str = "standard") -> Stored:
    """The stored maps and figures of a system.

    Args:
        id: of its result, such as "cam".
        of: the world that it was measured in.
    """
    result = read_result(results_folder() / of / f"{id}.json")
    return Stored(gallery(id, of), result, len(world(of).classes))
