"""The tagger without a browser: what it writes, how it goes on, and what it refuses."""

import unicodedata

import numpy as np
import pytest

from tests.annotate.conftest import CLASSES, SIZES
from wsss_lib.annotate import Tagger
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import write_labels


def ticked(tagger, *labels):
    """What the browser sends when somebody ticks."""
    marks = [{"label": label, "places": []} for label in labels]
    tagger.drawn = {"id": tagger.picture["id"], "marks": marks, "seconds": 1.5}


def test_what_is_ticked_is_what_the_folder_reads(folder):
    tagger = Tagger(folder, CLASSES)
    ticked(tagger, 2)
    tagger.place = 1
    ticked(tagger)
    tagger.place = 2
    ticked(tagger, 1, 2)
    read = SegmentationFolder(folder, None)
    assert read.classes == ("cat", "dog")
    assert {id: read.tags(id).tolist() for id in read.ids} == {
        "a": [0, 1], "b": [0, 0], "c": [1, 1],
    }  # fmt: skip
    assert tagger.tags == {"a": ["dog"], "b": [], "c": ["cat", "dog"]}
    assert tagger.seconds == {"a": 1.5, "b": 1.5, "c": 1.5}
    assert not list(folder.glob("*.partial"))


def test_it_goes_on_where_it_stopped(folder):
    Tagger(folder, CLASSES).tag("a", ["cat"])
    again = Tagger(folder, CLASSES)
    assert (again.place, again.picture["id"]) == (1, "b")
    again.place = 0
    assert again.picture["marks"] == [{"label": 1, "places": ()}]
    assert again.done == ("a",)
    assert again.tags == {"a": ["cat"]}


def test_a_correction_replaces_its_line_and_keeps_the_others(folder):
    (folder / "labels.csv").write_text("id,split,cat,dog\nb.png,val,0,1\na,train,true,0\n")
    tagger = Tagger(folder, CLASSES)
    assert tagger.tags == {"a": ["cat"], "b": ["dog"]}
    assert tagger.picture["id"] == "c"
    tagger.tag("b", ["cat", "dog"])
    tagger.tag("c", [])
    lines = (folder / "labels.csv").read_text().splitlines()
    assert lines == ["id,cat,dog,split", "b,1,1,val", "a,true,0,train", "c,0,0,"]
    assert SegmentationFolder(folder, "val").ids == ("b",)


def test_entries_that_nobody_understands_are_named_and_left_alone(folder):
    text = "id;cat;dog\na;0;0\nb;;x\n"
    (folder / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=r"labels\.csv, line 3: column 'dog' holds 'x'; write 1"):
        Tagger(folder, CLASSES)
    assert (folder / "labels.csv").read_text() == text


def test_a_line_with_a_gap_is_not_tagged_yet(folder):
    (folder / "labels.csv").write_text("id,cat,dog\na,0.0,TRUE\nb,1,\nc,,\n")
    tagger = Tagger(folder, CLASSES)
    assert (tagger.done, tagger.picture["id"]) == (("a",), "b")
    assert tagger.picture["marks"] == [{"label": 1, "places": ()}]
    assert tagger.tags == {"a": ["dog"]}


def test_a_tag_from_code_shows_in_the_picture_that_is_open(folder):
    tagger = Tagger(folder, CLASSES)
    tagger.tag("a", ["dog"])
    assert tagger.picture["marks"] == [{"label": 2, "places": ()}]
    tagger.tag("b", ["cat"])
    assert tagger.picture["id"] == "a"


def test_what_makes_no_sense_is_refused_in_words(folder):
    tagger = Tagger(folder, CLASSES)
    with pytest.raises(InputError, match="'cow' is no class"):
        tagger.tag("a", ["cow"])
    with pytest.raises(InputError, match="no picture 'z'"):
        tagger.tag("z", ["cat"])
    assert not (folder / "labels.csv").exists()
    (folder / "labels.csv").write_text("id,cat,dog,cow\na,1,0,0\n")
    with pytest.raises(InputError, match="column 'cow' that is none of the classes"):
        Tagger(folder, CLASSES)


def test_the_browser_is_told_why_a_label_was_not_written(folder):
    tagger = Tagger(folder, CLASSES)
    with pytest.raises(InputError):
        ticked(tagger, 3)
    assert "class 3 is not in 1..2" in tagger.note
    ticked(tagger, 1)
    assert tagger.note == ""


def test_masks_tick_what_they_show_until_somebody_corrects_them(folder):
    for id, label in (("a", 1), ("b", 2)):
        mask = np.zeros(SIZES[id][::-1])
        mask[5:9, 5:9] = label
        write_labels(folder / "masks" / f"{id}.png", mask)
    tagger = Tagger(folder, CLASSES)
    assert tagger.tags == {"a": ["cat"], "b": ["dog"]}
    assert tagger.picture["id"] == "c", "the first of which nobody says anything"
    tagger.place = 0
    assert tagger.picture["marks"] == [{"label": 1, "places": ()}]
    assert not (folder / "labels.csv").exists(), "looking writes nothing"
    ticked(tagger, 1, 2)
    assert (folder / "labels.csv").read_text() == "id,cat,dog\na,1,1\nb,0,1\n"
    write_labels(folder / "masks" / "a.png", np.zeros(SIZES["a"][::-1]))
    assert Tagger(folder, CLASSES).tags["a"] == ["cat", "dog"], "the table has the last word"


@pytest.mark.parametrize("name", ["kä t", "kä t.png", "some/where/kä t .png"])
def test_a_name_in_any_spelling_finds_its_picture(folder, name):
    apart, together = (unicodedata.normalize(form, "kä t") for form in ("NFD", "NFC"))
    (folder / "images" / "b.png").rename(folder / "images" / f" {apart} .png")
    tagger = Tagger(folder, CLASSES)
    tagger.place = tagger.ids.index(together)
    for form in ("NFD", "NFC"):
        tagger.tag(unicodedata.normalize(form, name), ["dog"])
        assert tagger.picture["marks"] == [{"label": 2, "places": ()}]
        assert Tagger(folder, CLASSES).tags == {together: ["dog"]}
        assert SegmentationFolder(folder, None).tags(together).tolist() == [0, 1]
        (folder / "labels.csv").unlink()
