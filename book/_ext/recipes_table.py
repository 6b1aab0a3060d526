"""Recipes in the book: every system at the size of its paper, and what a run would take.

``{recipes-table}`` has the stages and estimates, ``{recipe-settings}`` how each system is trained,
``{coco-estimate} cam`` the hours of one chain on a larger data set.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from wsss_book import link, results_folder, table

from wsss_lib import survey
from wsss_lib.core import Recipe
from wsss_lib.data.folder import VOC_CLASSES
from wsss_lib.nets.backbones.resnet import ResNet
from wsss_lib.nets.backbones.vit import ViT
from wsss_lib.nets.large.clip import Clip
from wsss_lib.recipes import BUILDERS, build, chain
from wsss_lib.results import read_result
from wsss_lib.survey_rows import line_of

HEAD = ("recipe", "stages", "batch × crop", "steps", "hours", "GB", "paper, VOC val")
SETTINGS = ("recipe", "network", "optimiser", "learning rate", "rest", "decay", "rescaled by")
ESTIMATE = ("stage", "images seen on VOC", "hours", "images seen on COCO", "hours", "GB of scores")
SIDE, PHOTOGRAPHS = 513, 2  # of results/voc_size: pixels of a side, and of a step
TRAINAUG = 10_582  # images of PASCAL VOC that papers train on
COCO, COCO_SCORES = 82_783, 3 * 480 * 640 * 2  # images; bytes of three classes in half precision
NETWORKS: dict[type, Callable[[Any], str]] = {
    ResNet: lambda net: "ResNet-50",
    ViT: lambda net: "DeiT-S/16" if net.channels[-1] == 384 else "DeiT-B/16",
    Clip: lambda net: "CLIP ViT-B",
}
"""What a system learns with; CLIP only teaches."""


class RecipesTable(SphinxDirective):
    """One row for each recipe that trains."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        found = survey.find_methods()
        rows = [_line(id, found[id].card.name, found[id].recipe) for id in BUILDERS]
        return [table(HEAD, rows, ["results-table"])]


def cost_of(id: str, folder: str = "voc_size") -> dict[str, float] | None:
    """Stored means of one photograph's time and memory; None where nothing was measured."""
    path = results_folder() / folder / f"{id}.json"
    if not path.is_file():
        return None
    return {name: value["mean"] for name, value in read_result(path)["summary"].items()}


def share_of_photograph(recipe: Recipe) -> float:
    """A crop's pixels, as a share of those of a measured photograph."""
    return 1.0 if recipe.crop is None else (recipe.crop / SIDE) ** 2


def gpu_hours(cost: dict[str, float], recipe: Recipe, images: int = TRAINAUG) -> float:
    """Hours of training and of answering for every image.

    A step is taken to cost as much as the pixels that it sees.
    """
    seen = recipe.steps * recipe.batch_size * recipe.accumulate
    step = cost.get("step_ms", 0.0) * share_of_photograph(recipe)
    return (seen * step + images * cost["answer_ms"]) / 3.6e6


def gpu_gigabytes(cost: dict[str, float], recipe: Recipe) -> float:
    """Most memory of training and of answering, weights included.

    All that a step takes is taken to grow with its pixels. Gradients do not, so this is too much
    where a network has many weights.
    """
    step = cost.get("step_mb", 0.0) / PHOTOGRAPHS * recipe.batch_size * share_of_photograph(recipe)
    return (4e6 * cost["weights_m"] + 2**20 * max(step, cost["answer_mb"])) / 1e9


def _line(id: str, name: str, recipe: Recipe) -> list[Any]:
    stages = chain(id)
    costs = [(cost_of(stage), survey.find_methods()[stage].recipe) for stage in stages]
    known = [(cost, recipe) for cost, recipe in costs if cost is not None]
    measured = len(known) == len(stages)
    reported = line_of(id)
    return [
        [link(f"system-{id}", name)],
        ", ".join(stages),
        f"{recipe.batch_size * recipe.accumulate} × {recipe.crop or 'whole'}"
        if recipe.steps
        else "–",
        f"{recipe.steps:,}" if recipe.steps else "none",
        f"{sum(gpu_hours(*one) for one in known):.1f}" if measured else "–",
        f"{max(gpu_gigabytes(*one) for one in known):.0f}" if measured else "–",
        reported.on_val if reported else "–",
    ]


class RecipeSettings(SphinxDirective):
    """One row for each system that is trained: with what, and how."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        found = survey.find_methods()
        rows = [
            _settings(id, found[id].card.name, found[id].recipe)
            for id in BUILDERS
            if found[id].recipe.steps
        ]
        return [table(SETTINGS, rows, ["results-table"])]


def _settings(id: str, name: str, recipe: Recipe) -> list[Any]:
    with torch.device("meta"):  # shapes alone
        parts = [*build(id, VOC_CLASSES, pretrained=False).modules()]
    found = [say(part) for kind, say in NETWORKS.items() for part in parts if type(part) is kind]
    low, high = recipe.long_side or recipe.scale
    unit = " px" if recipe.long_side else ""
    return [
        [link(f"system-{id}", name)],
        ", ".join(dict.fromkeys(found)),
        {"sgd": "SGD", "adamw": "AdamW"}[recipe.optimizer],
        f"{recipe.lr:g}",
        f"× {recipe.head_factor:g}",
        f"{recipe.weight_decay:g}",
        f"{low:g} to {high:g}{unit}" if low < high else "–",
    ]


class CocoEstimate(SphinxDirective):
    """What the chain of a recipe would take on COCO, each image seen as often as on VOC."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        rows = [_estimate(stage) for stage in chain(self.arguments[0])]
        return [table(ESTIMATE, rows, ["results-table"])]


def _estimate(stage: str) -> list[str]:
    kind, cost = survey.find_methods()[stage], cost_of(stage)
    recipe, times = kind.recipe, COCO / TRAINAUG
    seen = recipe.steps * recipe.batch_size * recipe.accumulate
    longer = replace(recipe, steps=round(recipe.steps * times))
    hours = ["–", "–"]
    if cost is not None:
        hours = [f"{gpu_hours(cost, recipe):.1f}", f"{gpu_hours(cost, longer, COCO):.1f}"]
    gigabytes = f"{COCO * COCO_SCORES / 1e9:.0f}"
    return [kind.card.name, f"{seen:,}", hours[0], f"{seen * times:,.0f}", hours[1], gigabytes]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("recipes-table", RecipesTable)
    app.add_directive("recipe-settings", RecipeSettings)
    app.add_directive("coco-estimate", CocoEstimate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
