"""Compositions: their masks are exact, and what is held out has grounds of its own."""

import numpy as np
import pytest
from PIL import Image

from wsss_lib.core import InputError
from wsss_lib.data import compositions
from wsss_lib.data.compositions import COUNTS, GROUNDS, OBJECTS, SIDE, compose, write_compositions
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.photographs import cut_out, drawn, photograph


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_compositions(tmp_path_factory.mktemp("c") / "compositions")


@pytest.mark.parametrize("split", COUNTS)
def test_tags_say_what_the_masks_show(folder, split):
    data = SegmentationFolder(folder, split)
    assert data.classes == tuple(OBJECTS)
    assert len(data) == COUNTS[split]
    counts = np.zeros(len(OBJECTS))
    for id in data.ids:
        shown = data.mask(id).unique().tolist()
        tags = data.tags(id)
        assert shown == [0, *(tags.nonzero().flatten() + 1).tolist()]
        assert tuple(data.mask(id).shape) == data.size(id) == (SIDE, SIDE)
        counts += tags.numpy()
    assert counts.min() >= 5, "every class is there to be learned"
    assert counts.max() < len(data), "and is missing somewhere"


def test_masks_are_exact(monkeypatch):
    """On a black ground, whatever is bright was pasted, and the mask knows it."""
    black = [Image.new("RGB", (SIDE, SIDE))]
    white = [Image.new("RGBA", cut_out(id).size, "white") for id in OBJECTS.values()]
    for piece, id in zip(white, OBJECTS.values(), strict=True):
        piece.putalpha(cut_out(id).getchannel("A"))
    monkeypatch.setattr(compositions, "_grounds", lambda split: black * len(GROUNDS[split]))
    monkeypatch.setattr(compositions, "_objects", lambda: white)
    lot = np.random.default_rng(0)
    for _ in range(20):
        image, mask = compose("train", lot)
        assert np.array_equal(np.asarray(image)[..., 0] > 127, mask > 0)


def test_objects_keep_their_class():
    """The cup is the reddest of the three, whatever its place, size and mirror image."""
    lot = np.random.default_rng(1)
    colours = {label: [] for label in range(1, len(OBJECTS) + 1)}
    for _ in range(30):
        image, mask = compose("val", lot)
        for label in np.unique(mask[mask > 0]):
            colours[label].append(np.asarray(image)[mask == label].mean(axis=0))
    for label, id in enumerate(OBJECTS.values(), 1):
        piece = np.asarray(cut_out(id))
        own = piece[piece[..., 3] > 0][:, :3].mean(axis=0)
        assert np.abs(np.array(colours[label]) - own).max() < 8, id


def test_no_ground_of_one_split_lies_in_the_other():
    train, val = (GROUNDS[split] for split in ("train", "val"))
    for name, _, (x0, y0, x1, y1) in train:
        for other, _, (u0, v0, u1, v1) in val:
            apart = x1 <= u0 or u1 <= x0 or y1 <= v0 or v1 <= y0
            assert name != other or apart
    for name, package, box in (*train, *val):
        assert min(box[2] - box[0], box[3] - box[1]) >= SIDE
        assert name not in OBJECTS.values()
        width, height = photograph(name, package).size
        assert box[2] <= width
        assert box[3] <= height


def test_the_seed_decides_everything(folder, tmp_path):
    same, other = (write_compositions(tmp_path / str(seed), seed) for seed in (0, 1))
    for name in ("labels.csv", "images/train_00.jpg", "masks/val_00.png"):
        assert (same / name).read_bytes() == (folder / name).read_bytes()
    assert (other / "labels.csv").read_bytes() != (folder / "labels.csv").read_bytes()


def test_what_is_there_is_left_alone(folder):
    kept = (folder / "labels.csv").stat().st_mtime_ns
    assert write_compositions(folder) == folder
    assert (folder / "labels.csv").stat().st_mtime_ns == kept


@pytest.mark.parametrize("name", ["SIDE", "COUNTS", "seed", "other"])
def test_a_folder_of_other_pictures_is_not_taken_for_these(folder, tmp_path, monkeypatch, name):
    root, seed = folder, 0
    if name == "SIDE":
        monkeypatch.setattr(compositions, "SIDE", SIDE // 2)
    elif name == "COUNTS":
        monkeypatch.setattr(compositions, "COUNTS", {**COUNTS, "val": 3})
    elif name == "seed":
        seed = 1
    else:
        root = tmp_path
        (tmp_path / "mine").write_text("kept")
    before = sorted(path.name for path in root.rglob("*"))
    with pytest.raises(InputError, match=f"does not hold the compositions of seed {seed}: name"):
        write_compositions(root, seed)
    assert sorted(path.name for path in root.rglob("*")) == before


@pytest.mark.parametrize("id", drawn())
def test_a_cut_out_is_the_object_within_its_outline(id):
    piece = cut_out(id)
    alpha = np.asarray(piece.getchannel("A"))
    assert set(np.unique(alpha)) == {0, 255}
    assert all(side.any() for side in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))
    x, y = drawn()[id]["points"][0]
    outline = np.array(drawn()[id]["objects"][0])
    left, top = np.maximum(outline.min(axis=0), 0)
    assert alpha[y - top, x - left] == 255, "where somebody clicked on it"
    whole = photograph(id, drawn()[id]["package"])
    assert piece.getpixel((int(x - left), int(y - top)))[:3] == whole.getpixel((x, y))
