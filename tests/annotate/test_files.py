"""What is drawn comes back from the files as the library reads them."""

import numpy as np
import pytest
import torch
from PIL import Image

from wsss_lib.annotate import Annotator, Mark
from wsss_lib.annotate.files import LabelFile, painted
from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.drawn import DrawnLabels
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels, write_labels

CLASSES = ["cat", "dog"]


def read(folder, kind, id, size):
    """A label as training sees it."""
    return DrawnLabels(SegmentationFolder(folder, None, CLASSES)).label(kind, id, size)


def sent(annotator, *marks):
    """What the browser sends: its lists, for tuples it does not know."""
    drawn = [{"label": label, "places": [list(place) for place in p]} for label, p in marks]
    annotator.drawn = {"id": annotator.picture["id"], "marks": drawn, "seconds": 2.0}


def test_points_keep_their_pixels_and_may_lie_on_the_background(folder):
    annotator = Annotator(folder, CLASSES, "points")
    sent(annotator, (2, [(0, 0)]), (0, [(39, 29)]))
    assert read(folder, "points", "a", (30, 40)).tolist() == [[0, 0, 2], [39, 29, 0]]
    again = Annotator(folder, CLASSES, "points")
    assert again.picture["id"] == "b"
    assert again.marks("a") == [Mark(2, ((0, 0),)), Mark(0, ((39, 29),))]


@pytest.mark.parametrize("corners", [[(3, 4), (10, 20)], [(10, 4), (3, 20)], [(10, 20), (3, 4)]])
def test_boxes_are_half_open_whichever_corner_comes_first(folder, corners):
    annotator = Annotator(folder, CLASSES, "boxes")
    sent(annotator, (1, corners))
    assert read(folder, "boxes", "a", (30, 40)).tolist() == [[3, 4, 11, 21, 1]]
    assert Annotator(folder, CLASSES, "boxes").marks("a") == [Mark(1, ((3, 4), (10, 20)))]


def test_extreme_clicks_are_stored_as_the_box_they_span(folder):
    annotator = Annotator(folder, CLASSES, "extremes")
    sent(annotator, (2, [(5, 10), (30, 12), (20, 3), (18, 29)]))
    assert read(folder, "boxes", "a", (30, 40)).tolist() == [[5, 3, 31, 30, 2]]
    again = Annotator(folder, CLASSES, "extremes")
    again.draw("a", again.marks("a"))
    assert read(folder, "boxes", "a", (30, 40)).tolist() == [[5, 3, 31, 30, 2]]


def test_strokes_say_nothing_where_nobody_drew(folder):
    annotator = Annotator(folder, CLASSES, "scribble")
    sent(annotator, (2, [(5, 5), (30, 5)]), (0, [(5, 25), (30, 25)]), (1, [(10, 15)]))
    scribble = read(folder, "scribble", "a", (30, 40))
    expected = torch.full((30, 40), IGNORE)
    expected[5, 5:31], expected[25, 5:31], expected[15, 10] = 2, 0, 1
    assert torch.equal(scribble, expected)


def test_the_pen_is_wider_on_large_pictures():
    line = [Mark(1, ((100, 100), (300, 100)))]
    assert (painted("scribble", line, (500, 400))[:, 200] == 1).sum() == 3
    assert (painted("scribble", line, (1000, 400))[:, 200] == 1).sum() == 5


def test_outlines_are_filled_and_the_rest_is_background(folder):
    annotator = Annotator(folder, CLASSES, "masks")
    sent(annotator, (1, [(5, 5), (20, 5), (20, 20), (5, 20)]), (2, [(10, 10), (12, 10), (12, 12)]))
    mask = SegmentationFolder(folder, None, CLASSES).mask("a")
    assert mask[5:21, 5:21].unique().tolist() == [1, 2]
    assert mask[10, 12] == 2
    assert (mask != 0).sum() == 16 * 16


def test_lines_about_other_pictures_and_other_columns_stay(folder):
    (folder / "boxes.csv").write_text(
        "id,class,x0,y0,x1,y1,who\nz,cat,0,0,1,1,me\na.png,cat,0,0,5,5,you\na,dog,1,1,2,2,you\n"
    )
    annotator = Annotator(folder, CLASSES, "boxes")
    assert annotator.picture["id"] == "b"
    annotator.draw("a", [Mark(2, ((4, 4), (8, 8)))])
    annotator.draw("c", [Mark(1, ((0, 0), (1, 1)))])
    assert (folder / "boxes.csv").read_text().splitlines() == [
        "id,class,x0,y0,x1,y1,who", "z,cat,0,0,1,1,me", "a,dog,4,4,9,9,", "c,cat,0,0,2,2,",
    ]  # fmt: skip


PLACES = {"points": ((1, 1),), "boxes": ((1, 1), (5, 5)), "extremes": ((2, 2), (9, 9))}


@pytest.mark.parametrize(
    ("first", "second"), [("boxes", "extremes"), ("points", "points"), ("tags", "tags")]
)
def test_two_widgets_on_one_folder_keep_what_the_other_wrote(folder, first, second):
    one, other = Annotator(folder, CLASSES, first), Annotator(folder, CLASSES, second)
    other.draw("a", [Mark(1, PLACES.get(second, ()))])
    one.draw("b", [Mark(2, PLACES.get(first, ()))])
    again = Annotator(folder, CLASSES, first)
    assert [mark.label for id in "ab" for mark in again.marks(id)] == [1, 2]
    other.place = 1
    assert [mark["label"] for mark in other.picture["marks"]] == [2]


def test_a_line_that_was_added_in_a_spreadsheet_stays(folder):
    annotator = Annotator(folder, CLASSES, "points")
    (folder / "points.csv").write_text("id,class,x,y,who\nc,dog,3,4,me\n")
    annotator.draw("a", [Mark(1, ((1, 1),))])
    lines = (folder / "points.csv").read_text().splitlines()
    assert lines == ["id,class,x,y,who", "c,dog,3,4,me", "a,cat,1,1,"]


@pytest.mark.parametrize("kind", ["scribble", "masks"])
def test_two_widgets_paint_on_one_picture(folder, kind):
    one, other = Annotator(folder, CLASSES, kind), Annotator(folder, CLASSES, kind)
    mine = [Mark(1, ((1, 1), (6, 1), (6, 6)))]
    one.draw("a", mine)
    other.draw("a", [Mark(2, ((20, 20), (29, 20), (29, 29)))])
    one.draw("a", [*mine, Mark(1, ((30, 1), (36, 1), (36, 6)))])
    file = folder / ("Scribbles" if kind == "scribble" else "masks") / "a.png"
    labels = read_labels(file)
    assert (labels[1, 6], labels[20, 29], labels[1, 36]) == (1, 2, 1)
    file.unlink()
    one.draw("a", mine)
    assert set(read_labels(file).ravel().tolist()) == {1, IGNORE if kind == "scribble" else 0}


@pytest.mark.parametrize("kind", ["points", "boxes", "scribble", "masks"])
def test_taking_the_last_mark_back_leaves_no_label(folder, kind):
    annotator = Annotator(folder, CLASSES, kind)
    places = {"points": 1, "boxes": 2}.get(kind, 3)
    sent(annotator, (1, [(1, 1), (5, 5), (5, 1)][:places]))
    assert annotator.done == ("a",)
    assert annotator.seconds == {"a": 2.0}
    sent(annotator)
    assert annotator.done == ()
    assert annotator.marks("a") == []


@pytest.mark.parametrize("kind", ["scribble", "masks"])
def test_what_was_painted_on_an_earlier_day_is_seen_and_stays(folder, kind):
    Annotator(folder, CLASSES, kind).draw("a", [Mark(1, ((5, 5), (30, 5), (30, 9)))])
    file = folder / ("Scribbles" if kind == "scribble" else "masks") / "a.png"
    before = read_labels(file)
    again = Annotator(folder, CLASSES, kind)
    assert (again.picture["id"], again.overlay) == ("b", "")
    again.place = 0
    assert again.overlay.startswith("data:image/png;base64,")
    sent(again, (2, [(9, 20), (9, 25), (12, 25)]))
    both = read_labels(file)
    assert (both[before == 1] == 1).all()
    assert both[22, 9] == 2
    sent(again)
    assert (read_labels(file) == before).all()
    assert again.done == ("a",)


def test_a_failed_write_leaves_what_was_there(folder, monkeypatch):
    annotator = Annotator(folder, CLASSES, "points")
    sent(annotator, (1, [(3, 3)]))
    before = (folder / "points.csv").read_bytes()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("csv.DictWriter.writerows", full)
    with pytest.raises(OSError, match="no space"):
        sent(annotator, (1, [(3, 3)]), (2, [(4, 4)]))
    assert annotator.note == "no space left"
    assert (folder / "points.csv").read_bytes() == before
    assert annotator.marks("a") == [Mark(1, ((3, 3),))]
    assert not list(folder.glob("*.partial"))


@pytest.mark.parametrize(
    ("kind", "mark", "message"),
    [
        ("boxes", Mark(0, ((1, 1), (2, 2))), "class 0 is not in 1..2"),
        ("points", Mark(3, ((1, 1),)), "class 3 is not in 0..2"),
        ("points", Mark(1, ((40, 1),)), r"\(40, 1\) is not in the picture, which is 40 x 30"),
        ("points", Mark(1, ((1, -1),)), "not in the picture"),
        ("boxes", Mark(1, ((1, 1),)), "cannot have 1 places"),
        ("masks", Mark(1, ((1, 1), (2, 2))), "cannot have 2 places"),
        ("scribble", Mark(1), "cannot have 0 places"),
        ("points", Mark(1, ((1.5, 1),)), "are whole numbers"),
        ("scribble", Mark(1, ((1.5, 1), (2, 2))), "are whole numbers"),
        ("points", Mark(1.5, ((1, 1),)), "are whole numbers"),
        ("points", Mark("cat", ((1, 1),)), "are whole numbers"),
        ("points", Mark(1, ((1, 2, 3),)), "are whole numbers"),
    ],
)
def test_marks_that_mean_nothing_are_refused(folder, kind, mark, message):
    file = LabelFile(SegmentationFolder(folder, None, CLASSES), kind)
    with pytest.raises(InputError, match=message):
        file.replace("a", [mark])
    assert file.done == ()


def test_whole_numbers_of_other_libraries_are_taken(folder):
    annotator = Annotator(folder, CLASSES, "points")
    annotator.draw("a", [Mark(np.int64(2), ((np.uint8(3), torch.tensor(4)),))])
    assert annotator.marks("a") == [Mark(2, ((3, 4),))]


@pytest.mark.parametrize("place", ["1.5,1", "1,", "x,2"])
def test_places_in_a_table_that_are_no_pixels_are_named(folder, place):
    (folder / "points.csv").write_text(f"id,class,x,y\nb,cat,1,1\na,cat,{place}\n")
    with pytest.raises(InputError, match=r"points\.csv, line 3: x, y must be whole pixels"):
        Annotator(folder, CLASSES, "points")


def test_other_columns_of_a_mark_that_stays_stay_too(folder):
    (folder / "boxes.csv").write_text(
        "id,class,x0,y0,x1,y1,who\na,cat,0,0,5,5,you\na,cat,0,0,5,5,me\na,dog,1,1,2,2,us\n"
    )
    annotator = Annotator(folder, CLASSES, "boxes")
    first, twin, last = annotator.marks("a")
    annotator.draw("a", [first, twin, Mark(2, ((4, 4), (8, 8))), last])
    assert (folder / "boxes.csv").read_text().splitlines()[1:] == [
        "a,cat,0,0,5,5,you", "a,cat,0,0,5,5,me", "a,dog,4,4,9,9,", "a,dog,1,1,2,2,us",
    ]  # fmt: skip


def test_kinds_and_classes_that_do_not_exist_are_refused(folder):
    with pytest.raises(InputError, match="'circles' cannot be drawn"):
        Annotator(folder, CLASSES, "circles")
    (folder / "points.csv").write_text("id,class,x,y\na,cow,1,1\n")
    with pytest.raises(InputError, match="'cow' is no class"):
        Annotator(folder, CLASSES, "points").marks("a")


def test_large_pictures_are_sent_small_and_keep_their_pixels(tmp_path):
    (tmp_path / "images").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (900, 1300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "images" / "big.png")
    annotator = Annotator(tmp_path, CLASSES, "points")
    assert (annotator.picture["width"], annotator.picture["height"]) == (1300, 900)
    assert len(annotator.picture["image"]) < 300_000
    sent(annotator, (1, [(1299, 899)]))
    assert read(tmp_path, "points", "big", (900, 1300)).tolist() == [[1299, 899, 1]]


@pytest.mark.parametrize("ending", ["bmp", "tif", "TIFF"])
def test_masks_of_other_formats_lie_below_the_new_outlines_and_become_png(folder, ending):
    (folder / "masks").mkdir()
    below = np.zeros((30, 40), np.uint8)
    below[20:25, 30:38] = 2
    Image.fromarray(below).save(folder / "masks" / f"a.{ending}")
    annotator = Annotator(folder, CLASSES, "masks")
    assert annotator.done == ("a",)
    annotator.draw("a", [Mark(1, ((1, 1), (9, 1), (9, 9), (1, 9)))])
    assert [path.name for path in (folder / "masks").iterdir()] == ["a.png"]
    mask = SegmentationFolder(folder, None, CLASSES).mask("a")
    assert mask[22, 33] == 2
    assert mask[5, 5] == 1


@pytest.mark.parametrize(("kind", "layer"), [("masks", "masks"), ("scribble", "Scribbles")])
def test_a_layer_of_another_size_than_its_picture_is_left_as_it_is(folder, kind, layer):
    write_labels(folder / layer / "a.png", np.ones((15, 20)))
    before = (folder / layer / "a.png").read_bytes()
    with pytest.raises(InputError, match=r"a\.png is 20 x 15 pixels, but its image a\.png is 40 x"):
        LabelFile(SegmentationFolder(folder, None, CLASSES), kind).replace("a", [])
    assert (folder / layer / "a.png").read_bytes() == before
