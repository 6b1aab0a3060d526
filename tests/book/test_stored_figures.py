"""Pictures from stored maps: the images that the rule chooses, and the rows that were asked for."""

from types import SimpleNamespace

import pytest
import stored_figures
import torch
from measured import axis_of
from stored_figures import (
    chosen,
    extra_panels,
    gain_columns,
    label_panel,
    maps_figure,
    own_columns,
    steps_figure,
    stored_labels,
    telling_classes,
)

from tests.tiny import plain_folder
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.gallery import common_ids, write_gallery


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Eighteen images; a floor that finds half of each object, and a system that gains on some."""
    world = SegmentationFolder(plain_folder(tmp_path / "data", sizes=((24, 32),) * 18), None)
    monkeypatch.setenv("WSSS_RESULTS", str(tmp_path))
    monkeypatch.setattr(stored_figures, "world", lambda *_: world)
    stored_figures.gallery.cache_clear()
    floor, system = {}, {}
    for number, id in enumerate(world.ids):
        truth = torch.nn.functional.one_hot(world.mask(id), 3).permute(2, 0, 1)[1:].float()
        half = truth * (torch.arange(32) % 2)
        floor[id] = half
        system[id] = torch.where(torch.arange(32) < 2 * number, truth, half)
    shown = {}
    for id in common_ids(world)[:3]:
        c = int(world.tags(id).nonzero()[0]) + 1
        said = resize(floor[id][None], (6, 8))[0]
        shown[id] = {
            f"first:{c}": said[c - 1],
            f"second:{c}": said[c - 1],
            "labels": torch.ones(24, 32) / 255,
        }
    maps = tmp_path / "maps" / "standard"
    write_gallery(maps / "cam.npz", floor, world, 0.5, {"system": "cam"})
    write_gallery(maps / "seam.npz", system, world, 0.5, {"system": "seam"})
    write_gallery(maps / "advcam.npz", system, world, 0.5, {"system": "advcam"}, shown)
    yield world
    stored_figures.gallery.cache_clear()


def words(figure):
    """Heads of the columns, and names of the rows."""
    axes = [axis for axis in figure.axes if axis.get_label() != "<colorbar>"]
    heads = [axis.get_title() for axis in axes if axis.get_title()]
    return heads, [axis.get_ylabel() for axis in axes if axis.get_ylabel()]


def test_images_are_those_of_the_largest_the_median_and_the_smallest_gain(data):
    found = chosen("seam")
    gains = {
        id: stored_figures.gallery("seam").iou[id] - stored_figures.gallery("cam").iou[id]
        for id in common_ids(data)
    }
    assert gains[found["largest"]] == max(gains.values()) > gains[found["median"]]
    assert gains[found["smallest"]] == min(gains.values()) < gains[found["median"]]
    heads = [head.split("\n") for head, _, _ in gain_columns("seam")]
    assert [words for words, _ in heads] == [f"{place} gain" for place in found]
    assert [float(number) for _, number in heads] == pytest.approx(
        [gains[id] for id in found.values()], abs=0.006
    )
    assert [image for _, image, _ in own_columns("seam")] == list(
        stored_figures.gallery("seam").extremes
    )


def test_the_class_that_is_drawn_gains_as_its_image_does(monkeypatch):
    """Of two classes, one that gains much and one that gains nothing: the mean is nearer to one."""
    truth = torch.zeros(4, 12, dtype=torch.long)
    truth[:2], truth[2:, :6] = 1, 2
    monkeypatch.setattr(stored_figures, "world", lambda *_: SimpleNamespace(
        mask=lambda id: truth, classes=("a", "b")))  # fmt: skip

    def answer(right):
        labels = torch.where(torch.isin(truth, torch.tensor(right)), truth, 0)
        return SimpleNamespace(extras={}, labels=lambda id, count: labels)

    known = {"one": answer([1]), "both": answer([1, 2])}
    monkeypatch.setattr(stored_figures, "gallery", lambda id, of: known[id])
    assert telling_classes("both", "one", "x", 0.9) == [2, 1]
    assert telling_classes("both", "one", "x", 0.1) == [1, 2]


def test_illustrations_are_stored_for_the_images_that_are_chosen(data):
    assert set(chosen("advcam").values()) == set(common_ids(data)[:3])
    columns = gain_columns("advcam")
    panels = extra_panels("advcam", "first", columns)
    for (_, image, c), panel in zip(columns, panels, strict=True):
        assert torch.equal(
            panel.score, stored_figures.gallery("advcam").extras[image][f"first:{c}"]
        )
    assert stored_labels("advcam", columns[0][1], "labels").unique().tolist() == [1]


def test_rows_stand_where_they_are_named_and_the_truth_comes_last(data):
    columns = gain_columns("advcam")
    extra = {"shown": extra_panels("advcam", "first", columns)}
    heads, rows = words(maps_figure(("cam", "shown", "advcam"), columns, extra=extra))
    assert rows == ["CAM", "shown", "AdvCAM", "truth"]
    assert [head.rpartition("\n")[0] for head in heads] == [head for head, _, _ in columns]


def test_steps_lead_to_the_answer_and_the_truth(data, monkeypatch):
    stored = stored_figures.gallery("advcam")
    for shown in stored.extras.values():
        shown.pop("labels")
    heads, rows = words(steps_figure("advcam"))
    assert heads == ["CAM", "first", "second", "AdvCAM", "truth"]
    assert len(rows) == 3


def test_a_label_image_says_how_good_it_is(data):
    id = common_ids(data)[0]
    assert label_panel(id, data.mask(id)).note == "IoU 1.00"
    assert label_panel(id, torch.zeros(24, 32, dtype=torch.long)).note == "IoU 0.00"


def test_axes_of_doses_say_what_grows():
    assert axis_of("erasing").endswith("(the failure grows →)")
    assert axis_of("clip").endswith("(the idea grows →)")
