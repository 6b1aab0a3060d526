"""The page about data tells of every script, and its examples can be used."""

import re
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from wsss_lib.cli import app
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "start" / "data.md").read_text()


def test_every_script_stands_on_the_page():
    scripts = {
        path.stem
        for path in (ROOT / "data_scripts").glob("*.py")
        if "typer.run" in path.read_text()
    }
    assert set(re.findall(r"python -m data_scripts\.(\w+)", PAGE)) == scripts


def test_boxes_as_the_page_writes_them_are_enough_for_labels(tmp_path):
    (table,) = re.findall(r"```text\n(id,class,x0.*?)```", PAGE, re.DOTALL)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (240, 200), "gray").save(tmp_path / "images" / "beach_1.png")
    (tmp_path / "labels.csv").write_text("id,dog,person\nbeach_1,1,1\n")
    (tmp_path / "boxes.csv").write_text(table)
    boxes = WeakView(SegmentationFolder(tmp_path), ("boxes",))[0].boxes[0]
    assert boxes.tolist() == [[40, 12, 210, 180, 1], [0, 5, 60, 200, 2]]
    for command in (["doctor", str(tmp_path)], _run(tmp_path, "bbox_rect")):
        answer = CliRunner().invoke(app, command)
        assert answer.exit_code == 0, answer.output
    labels = Image.open(tmp_path / "out" / "bbox_rect" / "labels" / "beach_1.png")
    assert [labels.getpixel(place) for place in ((200, 170), (5, 190), (230, 5))] == [1, 2, 0]


def _run(data: Path, system: str) -> list[str]:
    return ["run", system, "--data", str(data), "--split", "train", "--out", str(data / "out")]
