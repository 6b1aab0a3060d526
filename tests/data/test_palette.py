"""Label images survive the disk, and those that mean something else are refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from wsss_lib.core import InputError
from wsss_lib.data.palette import read_labels, voc_palette, write_labels

SOME = np.array([[0, 1, 2], [255, 2, 1]], dtype=np.uint8)


def test_palette_has_the_published_colours():
    palette = voc_palette()
    assert palette[[0, 1, 2, 15, 20, 255]].tolist() == [
        [0, 0, 0], [128, 0, 0], [0, 128, 0], [192, 128, 128], [0, 64, 128], [224, 224, 192],
    ]  # fmt: skip
    assert len(np.unique(palette, axis=0)) == 256


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 255))
)
def test_any_labels_survive_palette_grey_and_colour_files(tmp_path_factory, labels):
    folder = tmp_path_factory.mktemp("palette")
    write_labels(folder / "p.png", labels)
    Image.fromarray(labels).save(folder / "grey.png")
    Image.fromarray(voc_palette()[labels]).save(folder / "colour.png")
    for path in folder.iterdir():
        assert np.array_equal(read_labels(path), labels), path.name


def test_written_files_show_the_colours_of_voc(tmp_path):
    write_labels(tmp_path / "a.png", SOME)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image.convert("RGB")), voc_palette()[SOME])


@pytest.mark.parametrize("wrong", [np.full((2, 2), 256), np.full((2, 2), -1), np.zeros(4)])
def test_what_is_no_label_image_is_not_written(tmp_path, wrong):
    with pytest.raises(InputError, match=r"0\.\.255"):
        write_labels(tmp_path / "a.png", wrong)
    assert not [*tmp_path.iterdir()]


def test_unknown_indices_are_named(tmp_path):
    write_labels(tmp_path / "a.png", SOME + 3)
    with pytest.raises(InputError, match=r"indices \[3, 4, 5\] .* 0\.\.2 nor 255"):
        read_labels(tmp_path / "a.png", num_classes=2)
    assert read_labels(tmp_path / "a.png", num_classes=5).max() == 5


def test_unknown_colours_are_named(tmp_path):
    pixels = voc_palette()[SOME]
    pixels[0, 0] = (1, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"colour \(1, 2, 3\)"):
        read_labels(tmp_path / "a.png")


def paletted(path, indices, colours):
    image = Image.fromarray(np.asarray(indices, np.uint8), mode="P")
    image.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    image.save(path)


def test_a_mask_that_an_editor_renumbered_is_refused(tmp_path):
    # Looks like a mask of class 2, but its index is 1.
    paletted(tmp_path / "a.png", [[0, 1]], [(0, 0, 0), (0, 128, 0)])
    with pytest.raises(InputError, match=r"index 1 the colour \(0, 128, 0\), which is index 2"):
        read_labels(tmp_path / "a.png")


def test_a_mask_in_colours_of_its_own_is_taken_by_its_indices(tmp_path):
    paletted(tmp_path / "a.png", [[0, 1], [2, 1]], [(255, 255, 255), (10, 200, 30), (128, 0, 0)])
    assert read_labels(tmp_path / "a.png").tolist() == [[0, 1], [2, 1]]


def test_transparency_does_not_change_the_indices(tmp_path):
    write_labels(tmp_path / "a.png", SOME)
    with Image.open(tmp_path / "a.png") as image:
        image.save(tmp_path / "b.png", transparency=0)
    assert np.array_equal(read_labels(tmp_path / "b.png"), SOME)


def test_missing_truncated_and_deep_files_are_explained(tmp_path):
    with pytest.raises(InputError, match=r"No label image at .*no\.png: add it"):
        read_labels(tmp_path / "no.png")
    write_labels(tmp_path / "a.png", np.arange(4096, dtype=np.uint8).reshape(64, 64))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) - 60])
    with pytest.raises(InputError, match="truncated"):
        read_labels(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("not an image")
    with pytest.raises(InputError, match="not an image"):
        read_labels(tmp_path / "b.png")
    Image.fromarray(np.zeros((2, 2), np.uint16)).save(tmp_path / "c.png")
    with pytest.raises(InputError, match="mode 'I;16'"):
        read_labels(tmp_path / "c.png")


def with_alpha(colours, alpha):
    return np.dstack([colours, alpha]).astype(np.uint8)


@pytest.mark.parametrize("alpha", [255, 200])
def test_alpha_of_masks_is_ignored(tmp_path, alpha):
    clear = np.full(SOME.shape, alpha)
    clear[0, 0] = 0  # background, which editors make transparent
    Image.fromarray(with_alpha(SOME, clear), mode="LA").save(tmp_path / "grey.png")
    Image.fromarray(with_alpha(voc_palette()[SOME], clear)).save(tmp_path / "colour.png")
    for path in tmp_path.iterdir():
        assert np.array_equal(read_labels(path), SOME), path.name


@pytest.mark.parametrize("colour", [False, True])
def test_a_class_that_cannot_be_seen_is_refused_in_masks_and_undrawn_in_layers(tmp_path, colour):
    hidden = np.where(SOME == 2, 0, 255)
    pixels = voc_palette()[SOME] if colour else SOME
    Image.fromarray(with_alpha(pixels, hidden), mode=None if colour else "LA").save(
        tmp_path / "a.png"
    )
    with pytest.raises(InputError, match="transparent pixels hold class 2"):
        read_labels(tmp_path / "a.png")
    drawn = read_labels(tmp_path / "a.png", unseen=255)
    assert drawn.tolist() == [[0, 1, 255], [255, 255, 1]]


def test_nobody_drew_where_a_layer_is_transparent(tmp_path):
    white = np.full((*SOME.shape, 3), 255)
    white[0, 1] = (128, 0, 0)
    Image.fromarray(with_alpha(white, np.where(SOME == 1, 255, 0))).crop((0, 0, 2, 2)).save(
        tmp_path / "colour.png"
    )
    write_labels(tmp_path / "palette.png", np.array([[0, 1], [0, 0]]))
    with Image.open(tmp_path / "palette.png") as image:
        image.save(tmp_path / "palette.png", transparency=0)
    for path in tmp_path.iterdir():
        assert read_labels(path, 2, unseen=255).tolist() == [[255, 1], [255, 255]], path.name


def test_one_bit_is_background_and_the_first_class(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert read_labels(tmp_path / "a.png", 1).tolist() == [[1, 0]]


def test_masks_are_turned_like_their_images(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(SOME).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(read_labels(tmp_path / "a.png"), SOME[::-1, ::-1])
