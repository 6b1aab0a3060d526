"""Files of other programs: all doors understand them alike, or refuse them in the same words."""

import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.tiny import plain_folder
from wsss_lib.cli.compare import compare
from wsss_lib.cli.pipeline import BIG, Plan, run_plan
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.palette import read_labels, voc_palette, write_labels
from wsss_lib.data.view import WeakView
from wsss_lib.doctor import examine
from wsss_lib.evaluate import evaluate_labels


def run(root, out, say=lambda text: None, **how):
    how = {"steps": 1, "weights": "random", "cpu": True, **how}
    return run_plan(Plan(("cam",), root, out, **how), say)


def edit(root, old, new, name="labels.csv"):
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new))


def each(folder, change):
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            array = np.asarray(image)
        change(array).save(path)


def grey(array):
    return Image.fromarray(array.astype(np.uint8))


def hidden(mask):
    return Image.fromarray(np.dstack([mask, 255 * (mask != 1)]).astype(np.uint8), mode="LA")


DAMAGE = {
    "background": (lambda root: edit(root, "id,cat", "id,background"), "'background' as a class"),
    "nameless": (lambda root: edit(root, "id,cat", "id,"), "in a column without a name"),
    "twice": (lambda root: edit(root, "red car", "cat"), "'cat' twice in its first line"),
    "empty": (lambda root: (root / "labels.csv").write_text(""), "labels.csv is empty"),
    "no lines": (lambda root: (root / "labels.csv").write_text("id,cat\n"), "no line but the na"),
    "other classes": (
        lambda root: (root / "classes.txt").write_text("cat\ndog\n"),
        r"labels.csv and classes.txt disagree: .* no column for class 'dog' and a column 'red car'",
    ),
    "latin-1": (
        lambda root: (root / "classes.txt").write_bytes("chât".encode("latin-1")), "not UTF-8 text",
    ),
    "list": (lambda root: (root / "dataset.json").write_text("[]"), "must be an object"),
    "heic": (lambda root: (root / "images/a.heic").write_text(""), "a.heic: .heic is not read"),
    "sub-folder": (
        lambda root: plain_folder(root / "images" / "more"), "more/images/im0.png lies in a sub-f",
    ),
    "capitals": (lambda root: edit(root, "im3", "IM3"), "'IM3', but the image is called 'im3'"),
    "zeros": (lambda root: edit(root, "im3", "im03"), "'im03', but the image is called 'im3'"),
    "capitals of a mask": (
        lambda root: (root / "masks/im3.png").rename(root / "masks/Im3.png"), "masks names 'Im3'",
    ),
    "other masks": (
        lambda root: [p.rename(p.with_stem(p.stem + "_m")) for p in [*(root / "masks").iterdir()]],
        "holds im0_m.png, but no mask with the name of an image",
    ),
    "jpeg masks": (
        lambda root: (root / "masks/im3.png").rename(root / "masks/im3.jpg"), ".jpg is not read",
    ),
    "binary": (
        lambda root: each(root / "masks", lambda mask: grey(255 * (mask > 0))),
        "hold nothing but 0 and 255, and 255 means void",
    ),
    "void": (
        lambda root: each(root / "masks", lambda mask: grey(mask * 0 + 255)),
        "hold nothing but 0 and 255, and 255 means void",
    ),
    "16 bits": (
        lambda root: each(root / "masks", lambda mask: Image.fromarray(mask.astype(np.uint16))),
        "mode 'I;16' is no label image",
    ),
    "hidden": (lambda root: each(root / "masks", hidden), "transparent pixels hold class 1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_all_doors_refuse_in_the_same_words(tmp_path, kind):
    root = plain_folder(tmp_path / "mine")
    damage, message = DAMAGE[kind]
    damage(root)

    def python():
        data = SegmentationFolder(root)
        evaluate_labels(data.mask, data)

    for door in (
        python,
        lambda: run(root, tmp_path / "out"),
        lambda: compare(root / "masks", root, None, None, None),
    ):
        with pytest.raises(InputError, match=message):
            door()
    assert not (tmp_path / "out" / "work").exists(), "nothing is trained before"
    found = examine(root)
    assert re.search(message, " ".join(f"{f.what} {f.remedy}" for f in found.findings if f.serious))


def as_other_programs_write_it(root):
    """The same images, masks and labels, in every harmless way at once."""
    images, masks = root / "images", root / "masks"
    name = unicodedata.normalize("NFD", "été")
    (images / "im0.png").rename(images / f"{name}.png")
    (masks / "im0.png").rename(masks / f"{unicodedata.normalize('NFC', name)}.PNG")
    edit(root, "im0", "été")
    edit(root, "im1,", "images/im1.png,")
    with Image.open(images / "im1.png") as image:
        image.save(images / "im1.WEBP", lossless=True)
        image.convert("RGBA").save(images / "im2.tif")
    with Image.open(images / "im2.png") as image:
        image.convert("RGBA").save(images / "im2.tif")
    with Image.open(images / "im3.png") as image:
        image.save(images / "im3.bmp")
    with Image.open(images / "im4.png") as image:
        exif = Image.Exif()
        exif[0x0112] = 3
        image.convert("RGBA").rotate(180).save(images / "im4.png", exif=exif)
    for number in (1, 2, 3):
        (images / f"im{number}.png").unlink()
    mask = read_labels(masks / "im1.png")
    Image.fromarray(np.dstack([mask, mask * 0 + 255]), mode="LA").save(masks / "im1.png")
    clear = np.dstack([voc_palette()[read_labels(masks / "im2.png")], 255 * (mask * 0 + 1)])
    clear[clear[..., :3].sum(axis=2) == 0, 3] = 0
    Image.fromarray(clear.astype(np.uint8)).save(masks / "im2.png")
    Image.fromarray(read_labels(masks / "im3.png")).save(masks / "im3.tif")
    (masks / "im3.png").unlink()
    for folder in (images, masks):
        for litter in ("._im4.png", ".DS_Store", "Thumbs.db"):
            (folder / litter).write_bytes(b"\0\5\26\7")
    text = (root / "labels.csv").read_text().replace("\n", ",\r\n").replace(",", ";")
    (root / "labels.csv").write_bytes(f"{text};;\r\n".encode("utf-16"))
    (root / "classes.txt").write_bytes("cat\r\nred car\r\n".encode("utf-8-sig"))


def test_what_is_harmless_is_understood_and_gives_the_same_labels(tmp_path):
    for name in ("plain", "other"):
        plain_folder(tmp_path / name)
    as_other_programs_write_it(tmp_path / "other")
    found = examine(tmp_path / "other")
    assert [finding.what for finding in found.findings if finding.serious] == []
    said = []
    for name in ("plain", "other"):
        run(tmp_path / name, tmp_path / f"out_{name}", said.append)
    assert "Their files are of several kinds: 1 .bmp, 3 .png, 1 .tif, 1 .webp." in said
    plain, other = (SegmentationFolder(tmp_path / name) for name in ("plain", "other"))
    assert {*other.ids} ^ {*plain.ids} == {"im0", "été"}
    for id in plain.ids:
        twin = "été" if id == "im0" else id
        assert torch.equal(plain.image(id), other.image(twin)), id
        assert torch.equal(plain.mask(id), other.mask(twin)), id
        assert torch.equal(plain.tags(id), other.tags(twin)), id
        assert other.size(twin) == (24, 32)
        assert read_labels(tmp_path / f"out_other/cam/labels/{twin}.png").shape == (24, 32)
    evaluation, _, count = compare(tmp_path / "other/masks", tmp_path / "other", None, None, None)
    assert (evaluation.miou, count) == (1, 6)


def test_layers_painted_over_an_image_are_undrawn_where_they_are_transparent(tmp_path):
    root = plain_folder(tmp_path / "mine")
    (root / "Scribbles").mkdir()
    for number in range(6):
        layer = np.zeros((24, 32, 4), np.uint8)
        layer[12, 8:20] = (128, 0, 0, 255) if number % 2 == 0 else (0, 128, 0, 255)
        Image.fromarray(layer).save(root / "Scribbles" / f"im{number}.png")
    scribble = WeakView(SegmentationFolder(root), ("scribble",))[1].scribble
    assert scribble.unique().tolist() == [2, 255]
    assert not examine(root).serious


def test_photographs_of_many_megapixels_are_made_smaller_and_labelled_in_full(tmp_path):
    size = (30, BIG + 2)
    root = plain_folder(tmp_path / "mine", (size, (24, 32)))
    said = []
    run(root, tmp_path / "out", said.append)
    words = f"Images of up to {BIG + 2} pixels a side are looked at with a longest side of 320"
    assert words in " ".join(said)
    assert read_labels(tmp_path / "out" / "cam" / "labels" / "im0.png").shape == size
    said.clear()
    run(root, tmp_path / "out2", said.append, longest=100)
    assert "are looked at with" not in " ".join(said)


def test_an_image_beyond_the_limit_of_pillow_goes_through(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300)  # refuses images from 600 pixels on
    root = plain_folder(tmp_path / "mine")
    assert not examine(root).serious
    (outcome,) = run(root, tmp_path / "out", longest=16)
    assert outcome.labels["im0"].shape == (24, 32)
    assert Path(tmp_path / "out" / "report.html").is_file()


def test_predictions_are_found_under_the_names_of_other_systems(tmp_path):
    root = plain_folder(tmp_path / "mine", ((24, 32),) * 2)
    data, answers = SegmentationFolder(root), tmp_path / "answers"
    for id in data.ids:
        write_labels(answers / f"{id}.PNG", data.mask(id).numpy())
    (answers / "._im0.PNG").write_bytes(b"\0")
    assert compare(answers, root, None, None, None)[0].miou == 1
    (answers / "im0.PNG").rename(answers / "IM0.png")
    with pytest.raises(InputError, match="answers names 'IM0', but the image is called 'im0'"):
        compare(answers, root, None, None, None)
