"""The report is one file that says what was measured, and reads without pictures too."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import plain_folder
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.evaluate import Protocol
from wsss_lib.report import Row, write_report

PROTOCOL = Protocol("mine", "train, last nine tenths", True, "held-out", ("tags",), ("saliency",))
FIGURES = {
    "seed": 0, "threshold": 0.31, "miou": 0.4567, "precision": 0.5, "recall": float("nan"),
    "boundary_iou": 0.2, "seconds": 12.3, "iou": [0.9, None, 0.25],
}  # fmt: skip


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, "tags are nested properly"

    def handle_data(self, data):
        self.text += data + " "


@pytest.fixture
def data(tmp_path):
    return SegmentationFolder(plain_folder(tmp_path / "mine", ((24, 32), (500, 700))))


def written(data, path, rows, curves=None, title="cam → pamr"):
    write_report(
        path, title=title, facts={"data": "a & b"}, dataset=data, ids=data.ids, rows=rows,
        curves=curves or {}, labels={"cam <1>": {id: data.mask(id) for id in data.ids}},
    )  # fmt: skip
    return path.read_text(encoding="utf-8")


def test_report_stands_alone_and_describes_its_pictures(data, tmp_path):
    curve = np.linspace(0.1, 0.9, 101)
    text = written(
        data, tmp_path / "r.html", [Row("cam <1>", PROTOCOL, FIGURES)], {"cam <1>": curve}
    )
    page = Page(text)
    assert page.open == []
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "<script" not in text
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(pictures) == 1 + 2 * 3
    assert all(attrs["alt"] for attrs in pictures)
    assert "peaks at 0.900 and has 0.348 at its threshold" in pictures[0]["alt"]
    assert pictures[2]["alt"].startswith("im0, cam <1>: cat ")
    for attrs in pictures:
        with Image.open(io.BytesIO(base64.b64decode(attrs["src"].split(",")[1]))) as image:
            image.load()
            assert max(image.size) <= (1200 if attrs.get("class") == "plot" else 320)
    assert 'lang="en"' in text
    assert "color-scheme: light dark" in text


def test_figures_come_with_their_protocol(data, tmp_path):
    text = written(data, tmp_path / "r.html", [Row("cam", PROTOCOL, FIGURES)])
    words = " ".join(Page(text).text.split())
    assert (
        "cam 0.457 0.500 – 0.200 0.31 12 train, last nine tenths yes held-out tags saliency"
        in words
    )
    assert "background 0.900 cat – red car 0.250" in words
    assert "a & b" in words
    assert "a & b" not in text, "special characters are escaped"


def test_without_masks_the_report_says_so(data, tmp_path):
    fixed = Protocol("mine", "all", True, "fixed")
    text = written(
        data, tmp_path / "r.html", [Row("cam", fixed, {"threshold": 0.3, "seconds": 1.0})]
    )
    assert "No image has a mask" in text
    assert "mean IoU</th>" not in text


def test_small_drawings_are_stored_exactly(data, tmp_path):
    page = Page(written(data, tmp_path / "r.html", []))
    first = next(attrs for tag, attrs in page.tags if tag == "img")
    assert first["class"] == "small"
    with Image.open(io.BytesIO(base64.b64decode(first["src"].split(",")[1]))) as image:
        pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255
    assert torch.equal(pixels, data.image("im0"))
