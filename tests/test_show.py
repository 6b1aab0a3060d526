"""Pictures: colours mean what the legend says, and nothing global changes."""

import io

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import write_labels
from wsss_lib.show import (
    COLOURS,
    Panel,
    bar_with_spread,
    class_panel,
    contact_sheet,
    overlay,
    plot_curves,
    plot_doses,
    show_labels,
    show_maps,
    show_panels,
)
from wsss_lib.show.picture import INK, SHARPER

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


def test_maps_of_classes_make_a_grid_of_systems_and_classes():
    maps = torch.zeros(3, 10, 10)
    maps[1, 2:8, 2:8] = 0.7
    maps[2, 0, 0] = 0.1
    truth = square(2)
    figure = show_maps(
        GREY, {"CAM": maps, "PAMR": maps}, ("a", "b", "c"), truth=truth, thresholds={"CAM": 0.5}
    )
    panels = figure.axes[0:6:2]
    assert [axis.get_ylabel() for axis in panels] == ["CAM", "PAMR", "truth"]
    assert [axis.get_title() for axis in figure.axes[:6]] == ["b", "c", "", "", "", ""]
    inside = (
        torch.nn.functional.interpolate(maps[None], (40, 40), mode="bilinear", align_corners=False)[
            0, 1
        ]
        > 0.5
    )
    iou = (inside & (truth == 2)).sum() / (inside | (truth == 2)).sum()
    assert [axis.get_xlabel() for axis in panels] == [f"IoU {iou:.2f}", "", ""]


def test_maps_of_one_class_make_a_line():
    maps = torch.zeros(3, 10, 10)
    maps[1, 2:8, 2:8] = 0.7
    figure = show_maps(
        GREY, {"CAM": maps, "PAMR": maps}, ("a", "b", "c"), truth=square(2), thresholds={"CAM": 0.5}
    )
    panels = figure.axes[:3]
    assert [axis.get_title() for axis in panels] == ["CAM", "PAMR", "truth"]
    assert [axis.get_ylabel() for axis in panels] == ["b", "", ""]
    assert [bool(axis.get_xlabel()) for axis in panels] == [True, False, False]
    assert len({round(axis.get_position().y0, 6) for axis in panels}) == 1


def test_the_image_stays_visible_where_scores_are_low():
    figure = show_maps(GREY, {"mean": torch.tensor([[0.0, 1.0]])})
    image, shown = figure.axes[:2]
    assert [image.get_title(), shown.get_title()] == ["image", "mean"]
    tint = shown.images[-1].get_array()
    assert tint.shape == (40, 40, 4)
    assert tint[:, 0, 3].max() == 0
    assert 0.4 < tint[:, -1, 3].min() < 0.8
    raw = show_maps(GREY, {"raw": torch.tensor([[-2.0, 3.0]])}, limits=None)
    low, high = raw.axes[-1].get_ylim()
    assert (low, high) == pytest.approx((-2, 3))


def test_a_line_surrounds_what_a_class_wins_also_at_the_edge_of_the_image():
    scores = torch.zeros(2, 40, 40)
    scores[0, :20], scores[1, 10:] = 0.6, 0.8
    panel = class_panel(GREY, scores, 1, 0.5, square(1))
    assert panel.region.nonzero()[:, 0].max() == 9, "where another class scores more, it loses"
    figure = show_panels([panel])
    corners = figure.axes[0].collections[0].get_paths()[0].vertices
    assert corners.min() < 0, "the line closes along the edge"
    assert class_panel(GREY, scores, 1).region is None


def test_lines_of_panels_are_of_like_length():
    figure = show_panels([Panel(GREY, title=str(n)) for n in range(6)], columns=5)
    rows = {round(axis.get_position().y0, 3) for axis in figure.axes}
    assert len(figure.axes) == 6
    assert len(rows) == 2


def test_letters_and_paper_suit_light_and_dark():
    def luminance(colour):
        values = np.array(to_rgb(colour))
        linear = np.where(values <= 0.03928, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    ink = luminance(INK)
    assert 1.05 / (ink + 0.05) > 4.5, "on white"
    assert (ink + 0.05) / (luminance("#121212") + 0.05) > 3.8, "on the dark theme's ground"
    with Image.open(io.BytesIO(show_labels(GREY, {"a": square(1)}, ("cat",)).png())) as picture:
        alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    assert (alpha == 0).mean() > 0.1, "the paper is clear"


def test_legend_names_the_classes_that_occur():
    figure = show_labels(GREY, {"a": square(2), "b": square(255)}, ("cat", "dog"))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["dog", "void (255)"]


def test_contact_sheet_with_and_without_masks(tmp_path):
    (tmp_path / "images").mkdir()
    for id in ("a", "b"):
        Image.new("RGB", (30, 20), "red").save(tmp_path / "images" / f"{id}.png")
    (tmp_path / "labels.csv").write_text("id,cat,dog\na,1,0\nb,1,1\n")
    figure = contact_sheet(SegmentationFolder(tmp_path, None))
    assert [axis.get_title() for axis in figure.axes] == ["a", "b"]
    assert [axis.get_xlabel() for axis in figure.axes] == ["cat", "cat, dog"]
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
    shown, size = figure._repr_png_()
    with Image.open(io.BytesIO(shown)) as picture:
        assert picture.format == "PNG"
        assert picture.width == pytest.approx(SHARPER * size["width"], abs=1)
    assert len(shown) < 300_000, "a figure of the book has at most 300 KB"
    assert figure.save(tmp_path / "new" / "a.png").stat().st_size == len(shown)
    assert dict(mpl.rcParams) == before
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


def test_doses_show_each_world_and_two_errors_at_home():
    gains = {"one": [[0.0, 0.02], [0.1, 0.2, 0.3], [0.4, 0.5]], "two": [[], [0.0, 0.1, 0.0], [0.1]]}
    axis = plot_doses(gains, (0.1, 0.5, 0.9), 1, "share", "gain: mean IoU").axes[0]
    dots = [line for line in axis.lines if line.get_markersize() == 4]
    assert sum(len(line.get_xdata()) for line in dots) == 7 + 4
    means = [line.get_ydata() for line in axis.lines if line.get_label() in gains]
    np.testing.assert_allclose(means[0], [0.01, 0.2, 0.45])
    assert len(means[1]) == 2, "a dose without worlds has no mean"
    bar = axis.containers[0].lines[2][0].get_segments()[0][:, 1]
    np.testing.assert_allclose(bar, [0.2 - 0.2 / np.sqrt(3), 0.2 + 0.2 / np.sqrt(3)])
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.1", "0.5\nhome", "0.9"]
    assert axis.get_xlabel() == "share"
