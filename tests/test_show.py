"""Pictures: colours mean what the legend says, and nothing global changes."""

import io

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image

from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.show import (
    COLOURS,
    bar_with_spread,
    contact_sheet,
    overlay,
    plot_curves,
    show_labels,
    show_maps,
)

GREY = torch.full((3, 40, 40), 0.5)


def square(value: int) -> torch.Tensor:
    labels = torch.zeros(40, 40, dtype=torch.long)
    labels[10:30, 10:30] = value
    return labels


def test_overlay_leaves_background_and_paints_the_class_colour():
    picture = overlay(GREY, square(3), opacity=0.5)
    assert np.allclose(picture[0, 0], 0.5)
    assert np.allclose(picture[20, 20], 0.25 + 0.5 * COLOURS[2])
    assert np.allclose(picture[10, 20], COLOURS[2]), "the border has the full colour"
    assert np.allclose(GREY, 0.5), "the image itself is not painted"


def test_void_is_striped_white_and_not_a_class():
    picture = overlay(GREY, square(255))
    inside = picture[10:30, 10:30].reshape(-1, 3)
    white = (inside == 1).all(axis=1)
    assert 0.15 < white.mean() < 0.4
    assert np.allclose(inside[~white], 0.5)


def test_twenty_classes_have_different_colours_also_for_red_green_blind_readers():
    # Viénot, Brettel and Mollon (1999): what is left of linear RGB without red or green cones.
    linear = COLOURS[:7] ** 2.2
    for blind in (
        [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
        [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    ):
        seen = (linear @ np.array(blind).T).clip(0, 1) ** (1 / 2.2)
        distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
        assert distance[~np.eye(7, dtype=bool)].min() > 0.12
    assert len(np.unique(COLOURS.round(3), axis=0)) == 21


def test_overlay_refuses_labels_of_another_size():
    with pytest.raises(InputError, match=r"\(39, 40\)"):
        overlay(GREY, square(1)[1:])
    with pytest.raises(InputError, match="must be"):
        overlay(GREY[None], square(1))


def test_maps_show_present_classes_only_on_one_scale():
    maps = torch.zeros(3, 10, 10)
    maps[1] = 0.7
    figure = show_maps(GREY, {"CAM": maps, "mean": maps.mean(dim=0)}, ("a", "b", "c"))
    titles = [axis.get_title() for axis in figure.axes]
    assert titles[:3] == ["image", "CAM: b", "mean"]
    drawn = [axis.images[-1] for axis in figure.axes[1:3]]
    assert all(picture.get_clim() == (0, 1) for picture in drawn)
    assert drawn[0].get_array().shape == (40, 40)
    raw = show_maps(GREY, {"raw": torch.tensor([[-2.0, 3.0]])}, limits=None)
    low, high = raw.axes[1].images[-1].get_clim()
    assert (low, high) == pytest.approx((-2, 3))


def test_legend_names_the_classes_that_occur():
    figure = show_labels(GREY, {"a": square(2), "b": square(255)}, ("cat", "dog"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dog", "void (255)"]


def test_contact_sheet_with_and_without_masks(tmp_path):
    (tmp_path / "images").mkdir()
    for id in ("a", "b"):
        Image.new("RGB", (30, 20), "red").save(tmp_path / "images" / f"{id}.png")
    (tmp_path / "labels.csv").write_text("id,cat,dog\na,1,0\nb,1,1\n")
    figure = contact_sheet(SegmentationFolder(tmp_path, None))
    assert [axis.get_title() for axis in figure.axes] == ["a\ncat", "b\ncat, dog"]
    (tmp_path / "masks").mkdir()
    for id in ("a", "b"):
        write_labels(tmp_path / "masks" / f"{id}.png", np.ones((20, 30), int))
    figure = contact_sheet(SegmentationFolder(tmp_path, None), count=1)
    assert [axis.get_title() for axis in figure.axes] == ["a", "cat"]
    assert figure.legends[0].get_texts()[0].get_text() == "cat"


def test_curves_differ_without_colour_and_the_ring_sits_on_the_curve():
    x = np.linspace(0, 1, 101)
    figure = plot_curves({"one": x, "two": 1 - x, "three": x * 0}, chosen={"two": 0.25})
    lines = [line for line in figure.axes[0].lines if not line.get_label().startswith("_")]
    looks = {(line.get_marker(), line.get_linestyle()) for line in lines}
    assert len(looks) == 3
    ring = next(line for line in figure.axes[0].lines if line.get_label().startswith("_"))
    assert ring.get_xydata().tolist() == [[0.25, 0.75]]


def test_bars_say_mean_spread_and_number_of_runs():
    summary = {"cam": {"mean": 0.45, "sd": 0.021, "n": 3}, "pamr": {"mean": 0.5, "sd": 0.0, "n": 1}}
    figure = bar_with_spread(summary, lines={"ceiling": 0.8})
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0.450 ± 0.021", "0.500", "ceiling"]
    assert "1 and 3 runs" in figure.axes[0].get_xlabel()
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.45, 0.5]


def test_notebooks_show_a_figure_and_nothing_global_changes(tmp_path):
    before = dict(mpl.rcParams)
    noise = torch.rand(3, 300, 400, generator=torch.Generator().manual_seed(0))
    figure = show_labels(noise, {"a": torch.zeros(300, 400), "b": torch.ones(300, 400)}, ("cat",))
    shown = figure._repr_png_()
    with Image.open(io.BytesIO(shown)) as picture:
        assert picture.format == "PNG"
    assert len(shown) < 300_000, "a figure of the book has at most 300 KB"
    assert figure.save(tmp_path / "new" / "a.png").stat().st_size == len(shown)
    assert dict(mpl.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []
