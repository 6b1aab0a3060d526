"""``{recipes-table}``: every system at the size of its paper, and what a run would take."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from wsss_book import link, results_folder, table

from wsss_lib import survey
from wsss_lib.core import Recipe
from wsss_lib.recipes import BUILDERS, chain
from wsss_lib.results import read_result

HEAD = ("recipe", "first", "network", "batch × crop", "steps", "hours", "GB", "paper, VOC val")
SIDE, PHOTOGRAPHS = 513, 2  # of results/voc_size: pixels of a side, and of a step
TRAINAUG = 10_582  # images of PASCAL VOC that papers train on


class RecipesTable(SphinxDirective):
    """One row for each recipe that trains."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        found = survey.find_methods()
        rows = [_line(id, found[id].card.name, found[id].recipe) for id in BUILDERS]
        return [table(HEAD, rows, ["results-table"])]


def cost_of(id: str) -> dict[str, float] | None:
    """Stored means of one photograph's time and memory; None where nothing was measured."""
    path = results_folder() / "voc_size" / f"{id}.json"
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
    reported = survey.reported_for(id)
    return [
        [link(f"system-{id}", name)],
        stages[0] if stages[0] != id else "–",
        "after" if stages[-1] != id else "itself",
        f"{recipe.batch_size * recipe.accumulate} × {recipe.crop or 'whole'}"
        if recipe.steps
        else "–",
        f"{recipe.steps:,}" if recipe.steps else "none",
        f"{sum(gpu_hours(*one) for one in known):.1f}" if measured else "–",
        f"{max(gpu_gigabytes(*one) for one in known):.0f}" if measured else "–",
        f"{reported.val} ({reported.backbone})" if reported and reported.val else "–",
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("recipes-table", RecipesTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
