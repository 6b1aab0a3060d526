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

HEAD = (
    "recipe",
    "stages",
    "crop",
    "batch",
    "steps",
    "GPU hours (estimate)",
    "paper, VOC val",
)
SIDE = 513  # of the photographs of results/voc_size
TRAINAUG = 10_582  # images of PASCAL VOC that papers train on


class RecipesTable(SphinxDirective):
    """One row for each recipe that trains."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        found = survey.find_methods()
        rows = [_line(id, found[id].card.name, found[id].recipe) for id in BUILDERS]
        return [table(HEAD, rows, ["results-table"])]


def gpu_hours(id: str, recipe: Recipe, images: int = TRAINAUG) -> float | None:
    """Hours of training and of answering for every image, from the stored time of one photograph.

    A step is taken to cost as much as the pixels that it sees. None where nothing was measured.
    """
    path = results_folder() / "voc_size" / f"{id}.json"
    if not path.is_file():
        return None
    cost = read_result(path)["summary"]
    pixels = 1.0 if recipe.crop is None else (recipe.crop / SIDE) ** 2
    seen = recipe.steps * recipe.batch_size * recipe.accumulate
    step = cost["step_ms"]["mean"] if recipe.steps else 0.0
    return (seen * pixels * step + images * cost["answer_ms"]["mean"]) / 3.6e6


def _line(id: str, name: str, recipe: Recipe) -> list[Any]:
    parts = [gpu_hours(stage, survey.find_methods()[stage].recipe) for stage in chain(id)]
    hours = None if None in parts else sum(part for part in parts if part is not None)
    reported = survey.reported_for(id)
    return [
        [link(f"system-{id}", name)],
        " → ".join(chain(id)),
        recipe.crop or ("whole" if recipe.steps else "–"),
        recipe.batch_size * recipe.accumulate if recipe.steps else "–",
        f"{recipe.steps:,}" if recipe.steps else "none",
        "–" if hours is None else f"{hours:.1f}",
        f"{reported.val} ({reported.backbone})" if reported and reported.val else "–",
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("recipes-table", RecipesTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
