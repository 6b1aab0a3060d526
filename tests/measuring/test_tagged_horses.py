"""Horses among other photographs: what is mixed, and that all systems learn by one recipe."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from experiments.tagged_horses import MAKERS, RECIPE, USUAL, WORDS, maker, mixed, moved
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.data.view import WeakView


@pytest.fixture
def photographs(tmp_path):
    """Two horses with masks, and three others: a rider, nobody, and one without a list."""
    horses, others = tmp_path / "horses", tmp_path / "others"
    for folder in (horses / "images", horses / "masks", others / "images", others / "labels"):
        folder.mkdir(parents=True)
    picture = Image.fromarray(np.full((6, 8, 3), 90, dtype=np.uint8))
    mask = np.zeros((6, 8), dtype=np.uint8)
    mask[2:4] = 1
    for id in ("horse1", "horse2"):
        picture.save(horses / "images" / f"{id}.jpg")
        write_labels(horses / "masks" / f"{id}.png", mask)
    for id, lines in (("1", "17 0.1 0.2\n0 0.5 0.5\n"), ("2", "2 0.5 0.5\n\n"), ("3", None)):
        picture.save(others / "images" / f"{id}.jpg")
        if lines is not None:
            (others / "labels" / f"{id}.txt").write_text(lines)
    return SegmentationFolder(horses, None, classes=["horse"]), others


def test_tags_of_horses_and_of_others(photographs, tmp_path):
    data = mixed(*photographs, tmp_path / "mixed")
    assert data.classes == tuple(WORDS)
    tags = {id: data.tags(id).tolist() for id in data.ids}
    assert tags == {
        "1": [1, 1], "2": [0, 0], "3": [0, 0], "horse1": [1, 0], "horse2": [1, 0],
    }  # fmt: skip
    assert (data.mask("horse1") == 1).sum() == 16  # the first word is what masks call 1
    view = WeakView(data, ("tags",))
    assert [view[n].tags.tolist() for n in range(5)] == [[tags[id]] for id in data.ids]
    again = mixed(*photographs, tmp_path / "mixed")
    assert again.ids == data.ids


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "pamr"])
def test_all_systems_learn_by_one_recipe(name):
    method = maker(name)
    assert method.card.id == name
    assert method.recipe.steps * method.recipe.batch_size * method.recipe.accumulate == 120 * 8
    own = ("batch_size", "accumulate", "crop", "scale", "flip", "group")
    kept = {field: getattr(RECIPE, field) for field in own}
    assert replace(method.recipe, **kept) == RECIPE


def test_borders_move_with_the_threshold_of_cam():
    assert moved(USUAL, 0.5) == pytest.approx(0.5)
    assert moved(0.3, USUAL) == pytest.approx(0.3)
    assert moved(0.05, 0.5) < 0.5 < moved(0.3, 0.5) < moved(0.5, 0.5) < 1
    sance, ecs = maker("sance", 0.5), maker("ecs_net", 0.5)
    assert sance.seeds == (moved(0.3, 0.5), moved(0.05, 0.5))
    assert (ecs.hot, ecs.found, ecs.cold) == tuple(moved(b, 0.5) for b in (0.5, 0.3, 0.05))
    assert maker("sec", 0.4).foreground == pytest.approx(0.4)
