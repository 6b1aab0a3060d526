"""Oxford-IIIT Pet from tiny archives: trimaps become masks, breeds take turns."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import OxfordIIITPet

from data_scripts import pets
from tests.data_scripts import archives as tiny_archives
from tests.data_scripts.archives import of_pets
from wsss_lib.blocks.maps.class_maps import from_labels
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.view import WeakView
from wsss_lib.evaluate import evaluate


@pytest.fixture
def archives(tmp_path):
    return of_pets(tmp_path)


@pytest.fixture
def made(archives, tmp_path, tiny):
    pets.main(tmp_path / "pets", archives["images"], archives["masks"])
    return tmp_path / "pets"


def test_cats_and_dogs(made, healthy):
    data = SegmentationFolder(made, "train")
    assert data.classes == ("cat", "dog")
    for id in data.ids:
        number = 2 if "bulldog" in id else 1
        assert data.tags(id).tolist() == [float(number == 1), float(number == 2)]
        mask = data.mask(id)
        assert mask.shape == data.image(id).shape[1:] == (24, 30)
        assert (mask[6:18, 8:22] == number).all()
        outline = torch.zeros(24, 30, dtype=torch.bool)
        outline[4:20, 6:24] = True
        outline[6:18, 8:22] = False
        assert torch.equal(mask == 255, outline)
        assert (mask[:4] == 0).all()
    healthy(made)


def test_breeds_take_turns_so_that_the_first_tenth_holds_all(made):
    train, val = (SegmentationFolder(made, split) for split in ("train", "val"))
    assert train.ids == ("Abyssinian_1", "american_bulldog_3", "Bombay_2", "Abyssinian_12")
    assert val.ids == ("Abyssinian_7", "american_bulldog_5")


def test_what_no_list_names_stays_out(made):
    files = {path.name for path in made.rglob("*") if path.is_file()}
    assert not {name for name in files if name.startswith("._") or name.endswith(".mat")}
    assert "Bombay_9.jpg" not in files


def test_breeds_as_classes(archives, tmp_path, tiny, healthy):
    root = tmp_path / "breeds"
    pets.main(root, archives["images"], archives["masks"], breeds=True)
    data = SegmentationFolder(root, "train")
    assert data.classes == ("abyssinian", "american bulldog", "bombay")
    for id, number in zip(data.ids, (1, 2, 3, 1), strict=True):
        assert data.tags(id).argmax() == number - 1
        assert data.mask(id)[10, 10] == number
    healthy(root)
    with pytest.raises(InputError, match="breeds=True and not name='pets', breeds=False"):
        pets.main(root, archives["images"], archives["masks"])


def test_boxes_and_points_are_made_from_the_masks(made):
    view = WeakView(SegmentationFolder(made, "train"), ("tags", "boxes", "points"))
    for batch in view:
        number = int(batch.tags[0].argmax()) + 1
        assert batch.boxes[0].tolist() == [[8, 6, 22, 18, number]]
        assert {int(c) for c in batch.points[0][:, 2]} - {0} == {number}


def test_addresses_and_checksums_are_those_of_torchvision():
    ours = [(one.urls[0], one.digests) for one in (pets.IMAGES, pets.ANNOTATIONS)]
    theirs = [(url, (("md5", digest),)) for url, digest in OxfordIIITPet._RESOURCES]
    assert ours == theirs


def test_without_a_network_the_error_says_what_to_bring(tmp_path, monkeypatch, server):
    gone = replace(pets.IMAGES, urls=(server.url("gone"),))
    monkeypatch.setattr(pets, "IMAGES", gone)
    with pytest.raises(InputError, match=r"images\.tar\.gz could not .*: --images-from FILE\."):
        pets.main(tmp_path / "pets", downloads=tmp_path / "no")
    assert not (tmp_path / "pets" / "dataset.json").exists()


def test_archives_of_something_else_are_named(archives, tmp_path, tiny):
    with pytest.raises(InputError, match=r"trainval\.txt: the archive is not that of Oxford-IIIT"):
        pets.main(tmp_path / "a", archives["images"], archives["images"])
    with pytest.raises(InputError, match=r"holds no Abyssinian_1\.jpg"):
        pets.main(tmp_path / "b", archives["masks"], archives["masks"])


@pytest.mark.parametrize("line", ["Abyssinian_1 1 1", "Abyssinian_1 1 3 1", "x y z w", "_1 1 1 1"])
def test_lists_of_another_form_are_refused(line, tmp_path):
    (tmp_path / "trainval.txt").write_text(f"# id class species breed\n\n{line}\n")
    with pytest.raises(InputError, match="fetch the archive again"):
        pets.read_list(tmp_path / "trainval.txt")


def test_masks_that_are_no_trimaps_are_refused(tmp_path):
    with pytest.raises(InputError, match="lack a mask"):
        pets.labels_of(tmp_path / "a.png", 1)
    Image.fromarray(np.full((4, 4), 7, np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"holds \[7\], and not 1, 2 and 3"):
        pets.labels_of(tmp_path / "a.png", 1)


def test_real_photographs_go_through_the_archives_and_come_out_the_same(shared, tmp_path, tiny):
    """The real masks, as trimaps again, in the layout of the archives."""
    source = SegmentationFolder(shared / "data" / "pets", split=None)
    images, annotations = tmp_path / "images", tmp_path / "annotations"
    (annotations / "trimaps").mkdir(parents=True)
    images.mkdir()
    breeds = sorted({id.rpartition("_")[0].lower() for id in source.ids})
    lines = []
    for id in source.ids:
        path = source.image_path(id)
        (images / f"{id}.jpg").write_bytes(path.read_bytes())
        mask = source.mask(id).numpy()
        trimap = np.select([mask == 0, mask == 255], [2, 3], 1).astype(np.uint8)
        Image.fromarray(trimap).save(annotations / "trimaps" / f"{id}.png")
        breed = breeds.index(id.rpartition("_")[0].lower()) + 1
        lines.append(f"{id} {breed} {1 + int(source.tags(id).argmax())} 1\n")
    (annotations / "trainval.txt").write_text("".join(lines[::2]))
    (annotations / "test.txt").write_text("".join(lines[1::2]))
    pets.main(
        tmp_path / "pets",
        tiny_archives.tar(tmp_path / "images.tar.gz", tmp_path, "images"),
        tiny_archives.tar(tmp_path / "annotations.tar.gz", tmp_path, "annotations"),
    )
    for split in ("train", "val"):
        data = SegmentationFolder(tmp_path / "pets", split)
        assert len(data) == 9
        for id in data.ids:
            assert torch.equal(data.mask(id), source.mask(id))
            assert torch.equal(data.tags(id), source.tags(id))
        scores = {id: from_labels(data.mask(id)[None], 2)[0] for id in data.ids}
        assert evaluate(scores, data, 0.5, boundary=False).miou == 1
