"""*Your own segmenter in one sitting*, on pictures that are the reader's."""

import json
import re
import shutil
import sys
import zipfile

import lesson
import numpy as np
import pytest
import stored_figures
from PIL import Image

from tests.book.pages import BOOK
from wsss_lib.annotate import Tagger
from wsss_lib.data.compositions import compose
from wsss_lib.show import Picture

NOTEBOOK = BOOK / "pipeline" / "your_own_segmenter.ipynb"


@pytest.fixture
def sit_down(tmp_path, monkeypatch):
    """Run the notebook in smoke mode with other answers in step 1."""
    monkeypatch.setattr(lesson, "MODE", "smoke")
    for module in (lesson, stored_figures):
        monkeypatch.setattr(module, "DATA", tmp_path / "data")
    monkeypatch.chdir(BOOK / "pipeline")

    def run(photos, classes, known, side, display, **changes):
        notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
        cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
        answers = {"PHOTOS": str(photos), "CLASSES": classes, "KNOWN": known, "SIDE": side}
        place = next(n for n, cell in enumerate(cells) if cell.startswith("PHOTOS = None"))
        cells[place] = "\n".join(f"{name} = {answer!r}" for name, answer in answers.items())
        room = {"display": display, "sys": sys}
        for cell in cells[1:]:  # the first one is for Colab
            for name, value in changes.items():
                cell = re.sub(rf"\b{name}=\d+", f"{name}={value}", cell)
            exec(cell, room)
        return room

    return run


def test_pictures_without_tags_from_a_zip(sit_down, tmp_path):
    """Nothing is known of them, they are tagged in the widget, and nothing can be measured."""
    lot, truth = np.random.default_rng(0), {}
    with zipfile.ZipFile(tmp_path / "phone.zip", "w") as archive:
        for number in range(9):
            image, mask = compose("train", lot)
            truth[f"img_{number}"] = [("cat", "cup", "flower")[c - 1] for c in {*mask.flat} - {0}]
            image.resize((200, 200)).save(tmp_path / f"img_{number}.jpg")
            archive.write(tmp_path / f"img_{number}.jpg", f"phone/img_{number}.jpg")
    shown = []

    def display(thing):
        shown.append(thing)
        if isinstance(thing, Tagger):
            for id in thing.ids:
                thing.tag(id, truth[id])

    room = sit_down(tmp_path / "phone.zip", ["cat", "cup", "flower"], {}, 128, display, smoke=1)
    assert len(shown) == 1, "the widget, and no photographs that are not the reader's"
    assert isinstance(shown[0], Tagger)
    assert room["cam"].fitted.losses, "ImageNet does not know the classes: tags taught them"
    assert "measured" not in room
    with zipfile.ZipFile(room["archive"]) as archive:
        names = {*archive.namelist()}
        assert {f"masks/{id}.png" for id in truth} < names
        assert {"network.safetensors", "classes.txt"} < names
        with archive.open("masks/img_0.png") as file:
            assert Image.open(file).size == (200, 200), "masks have the size of their pictures"


def test_horses(sit_down, shared, tmp_path):
    """Real photographs: the network, told nothing, beats the class map that knows the tag."""
    source = shared / "data" / "horses"
    if not source.is_dir():
        pytest.skip(f"needs the photographs of horses at {source}")
    for path in sorted((source / "images").iterdir())[:36]:
        for folder, name in (("images", path.name), ("masks", f"{path.stem}.png")):
            (tmp_path / "horses" / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(source / folder / name, tmp_path / "horses" / folder)
    shown = []
    room = sit_down(tmp_path / "horses", ["horse"], {"horse": ["sorrel"]}, 224, shown.append)
    (tagger,) = (thing for thing in shown if not isinstance(thing, Picture))
    assert {*tagger.tags} == {*room["photos"].ids}, "masks say what is there: it is ticked"
    assert {*map(tuple, tagger.tags.values())} == {("horse",)}
    assert not room["photos"].labels_file.exists(), "and nobody corrected it"
    assert len(room["unseen"]) == 12
    assert room["miou"]["the network"] > room["miou"]["CAM"] > room["miou"]["all background"]
