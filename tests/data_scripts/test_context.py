"""PASCAL Context from tiny archives: 459 names become 59 classes and background."""

import pytest

from data_scripts import context
from tests.data_scripts.archives import CONTEXT, of_context
from wsss_lib.core import InputError
from wsss_lib.data.folder import SegmentationFolder

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def archives(tmp_path):
    return of_context(tmp_path)


def test_names_become_classes_in_alphabetical_order(archives, tmp_path, healthy):
    root = tmp_path / "context"
    context.main(root, archives["voc"], archives["labels"])
    for split, ids in CONTEXT.items():
        data = SegmentationFolder(root, split)
        assert data.ids == ids
        assert len(data.classes) == 59
        assert [*data.classes] == sorted(data.classes)
        for id in ids:
            mask, grass = data.mask(id), data.classes.index("grass") + 1
            assert (mask[:8] == data.classes.index("sky") + 1).all()
            assert (mask[8:15] == grass).all()
            assert (mask[15:, :5] == 0).all()
            assert (mask[15:, 5:] == grass).all()
            assert [data.classes[c] for c in data.tags(id).nonzero()] == ["grass", "sky"]
    healthy(root)


def test_archives_of_something_else_are_named(archives, tmp_path):
    with pytest.raises(InputError, match=r"labels\.txt: the archive is not that of PASCAL Context"):
        context.main(tmp_path / "c", archives["voc"], archives["voc"])
    with pytest.raises(InputError, match=r"train\.txt: the archive is not that of PASCAL VOC 2010"):
        context.main(tmp_path / "c", archives["labels"], archives["labels"])
    context.main(tmp_path / "c", archives["voc"], archives["labels"])
    assert len(SegmentationFolder(tmp_path / "c", "train")) == 2


def test_another_data_set_is_not_taken_for_this_one(archives, tmp_path):
    (tmp_path / "c").mkdir()
    about = tmp_path / "c" / "dataset.json"
    about.write_text('{"name": "toy"}')
    with pytest.raises(InputError, match="holds name='toy' and not name='context': name another"):
        context.main(tmp_path / "c", archives["voc"], archives["labels"])
    about.write_text("[")
    with pytest.raises(InputError, match=r"dataset\.json cannot be read"):
        context.main(tmp_path / "c", archives["voc"], archives["labels"])


def test_a_list_of_names_that_lacks_a_class_is_refused(tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{n}: {name}\n" for n, name in enumerate(context.CLASSES[1:], 1)))
    with pytest.raises(InputError, match=r"does not name \['aeroplane'\]"):
        context.numbers_of(labels)
    labels.write_text(labels.read_text().replace("pottedplant", "potted plant") + "400: aeroplane")
    table = context.numbers_of(labels)
    assert (table[400], table[1], table[0], table[59]) == (1, 2, 0, 0)
