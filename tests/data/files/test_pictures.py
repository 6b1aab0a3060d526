"""Images of every kind come upright, in three channels of 8 bits, or are refused in words."""

import numpy as np
import pytest
import torch
from PIL import Image

from wsss_lib.core import InputError
from wsss_lib.data.files import pictures
from wsss_lib.data.files.pictures import decoded_size, image_size, read_image
from wsss_lib.data.folder import SegmentationFolder

RED = np.zeros((2, 3, 3), np.uint8)
RED[..., 0] = 255


def save_rgba(path):
    alpha = np.full((2, 3, 1), 255, np.uint8)
    alpha[0, 0] = 0
    Image.fromarray(np.concatenate([RED, alpha], axis=2)).save(path)


def save_transparent_palette(path):
    image = Image.fromarray(np.array([[0, 1, 1], [1, 1, 1]], np.uint8), mode="P")
    image.putpalette([9, 9, 9, 255, 0, 0])
    image.save(path, transparency=0)


def save_transparent_colour(path):
    pixels = RED.copy()
    pixels[0, 0] = 7
    Image.fromarray(pixels).save(path, transparency=(7, 7, 7))


@pytest.mark.parametrize("save", [save_rgba, save_transparent_palette, save_transparent_colour])
def test_transparent_pixels_become_white(tmp_path, save):
    save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.shape == (3, 2, 3)
    assert image[:, 0, 0].tolist() == [1, 1, 1]
    assert image[:, 1, 2].tolist() == [1, 0, 0]


def test_grey_and_sixteen_bit_and_cmyk_images_have_three_channels(tmp_path):
    Image.fromarray(np.full((2, 3), 51, np.uint8)).save(tmp_path / "grey.png")
    assert torch.allclose(read_image(tmp_path / "grey.png"), torch.full((3, 2, 3), 0.2))
    Image.fromarray(RED).convert("CMYK").save(tmp_path / "cmyk.jpg")
    assert read_image(tmp_path / "cmyk.jpg").shape == (3, 2, 3)
    deep = np.full((2, 3), 13107, np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert torch.allclose(read_image(tmp_path / "deep.png"), torch.full((3, 2, 3), 0.2), atol=0.01)


def test_photographs_of_turned_cameras_stand_upright(tmp_path):
    image = Image.fromarray(RED)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (3, 3, 2)


@pytest.mark.parametrize("suffix", ["jpg", "JPG", "jpeg", "png"])
def test_endings(tmp_path, suffix):
    (tmp_path / "images").mkdir()
    (tmp_path / "classes.txt").write_text("cat")
    Image.fromarray(RED).save(tmp_path / "images" / f"IMG_1.{suffix}")
    data = SegmentationFolder(tmp_path)
    assert data.ids == ("IMG_1",)
    assert data.image("IMG_1").shape == (3, 2, 3)


def test_missing_truncated_and_odd_files_are_explained(tmp_path):
    with pytest.raises(InputError, match="No image at"):
        read_image(tmp_path / "a.jpg")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    for end in (len(whole) // 2, 20, 0):
        (tmp_path / "a.jpg").write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"a\.jpg is truncated or not an image"):
            read_image(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_text("<html>Not found</html>")
    with pytest.raises(InputError, match="not an image"):
        read_image(tmp_path / "b.jpg")


NOISE = np.random.default_rng(0).integers(0, 255, (24, 32, 4), np.uint8)


def turned(image, path, **how):
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(path, exif=exif, **how)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "I;16", "1"])
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_every_kind_of_photograph_is_turned(tmp_path, mode, ending):
    if mode == "I;16":
        image = Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257)
    else:
        image = Image.fromarray(NOISE, "RGBA").convert("RGB" if mode == "P" else "RGBA")
        image = image.quantize(16) if mode == "P" else image.convert(mode)
    path, plain = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    how = {"lossless": True} if ending == "webp" else {}
    if ending == "webp":
        image = image.convert("RGBA" if "A" in mode else "RGB")
    turned(image, path, **how)
    image.save(plain, **how)
    assert image_size(path) == decoded_size(path) == (32, 24)
    assert torch.equal(read_image(path), read_image(plain).transpose(1, 2).flip(2))


def test_a_turn_that_is_told_behind_the_pixels_counts(tmp_path):
    path = tmp_path / "a.png"
    turned(Image.fromarray(NOISE[..., :3]), path)
    content = path.read_bytes()
    at = content.index(b"eXIf") - 4
    length = 12 + int.from_bytes(content[at : at + 4])
    chunk, end = content[at : at + length], len(content) - 12
    path.write_bytes(content[:at] + content[at + length : end] + chunk + content[end:])
    assert image_size(path) == tuple(read_image(path).shape[1:]) == (32, 24)


def test_the_size_of_a_large_image_costs_its_header_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.new("L", (2000, 1000)).save(path)
    path.write_bytes(path.read_bytes()[:-600])  # truncated, which only decoding finds out
    assert image_size(path) == (1000, 2000)
    with pytest.raises(InputError, match="truncated"):
        decoded_size(path)


def test_images_beyond_the_limit_of_pillow_are_read_and_their_own_limit_is_told(
    tmp_path, monkeypatch
):
    Image.fromarray(NOISE[..., :3]).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # refuses from 200 on
    assert image_size(tmp_path / "a.png") == tuple(read_image(tmp_path / "a.png").shape[1:])
    assert Image.MAX_IMAGE_PIXELS == 100, "other users of Pillow keep their limit"
    monkeypatch.setattr(pictures, "MOST_PIXELS", 700)
    for read in (image_size, decoded_size, read_image):
        with pytest.raises(InputError, match=r"megapixels; at most .* Cut it into tiles"):
            read(tmp_path / "a.png")


def test_very_large_images_come_smaller_where_they_may(tmp_path, monkeypatch):
    Image.fromarray(NOISE[..., :3]).resize((640, 480)).save(tmp_path / "a.png")
    whole = read_image(tmp_path / "a.png")
    assert torch.equal(read_image(tmp_path / "a.png", longest=50), whole)
    monkeypatch.setattr(pictures, "LARGE", 100_000)
    assert read_image(tmp_path / "a.png").shape == whole.shape
    small = read_image(tmp_path / "a.png", longest=50)
    assert small.shape == (3, 80, 107), "a sixth: at least twice as long as wanted"
    assert (
        small[:, :, :106] - whole[:, :, :636].unfold(1, 6, 6).unfold(2, 6, 6).mean((3, 4))
    ).abs().max() < 0.01


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((4, 5), 4095, np.uint16), "12-bit cameras: it would be almost black"),
        (np.full((4, 5), -3, np.int32), "holds values from -3 to -3"),
        (np.full((4, 5), 70_000, np.int32), "holds values from 70000 to 70000"),
        (np.full((4, 5), 0.5, np.float32), "holds numbers with fractions"),
    ],
)
def test_numbers_whose_range_nobody_knows_are_refused(tmp_path, pixels, message):
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    for read in (read_image, decoded_size):
        with pytest.raises(InputError, match=message):
            read(tmp_path / "a.tif")


def test_sixteen_bits_that_are_used_are_read(tmp_path):
    for value, expected in ((0, 0), (4096, 16 / 255), (65535, 1)):
        Image.fromarray(np.full((4, 5), value, np.uint16)).save(tmp_path / "a.tif")
        assert read_image(tmp_path / "a.tif").unique().tolist() == pytest.approx([expected])


def test_colours_of_twelve_bits_in_sixteen_are_refused(tmp_path):
    import cv2

    for value in (4000, 40_000):
        cv2.imwrite(str(tmp_path / f"{value}.png"), np.full((4, 5, 3), value, np.uint16))
    assert read_image(tmp_path / "40000.png").mean().item() == pytest.approx(156 / 255)
    with pytest.raises(InputError, match="almost black"):
        read_image(tmp_path / "4000.png")


@pytest.mark.parametrize("ending", ["gif", "webp", "tif", "png"])
def test_animations_and_stacks_are_no_photographs(tmp_path, ending):
    one, two = (Image.fromarray(NOISE[..., :3]).rotate(angle) for angle in (0, 90))
    one.save(tmp_path / f"a.{ending}", save_all=True, append_images=[two])
    for read in (image_size, read_image):
        with pytest.raises(InputError, match="holds 2 pictures, an animation or a stack"):
            read(tmp_path / f"a.{ending}")
    one.save(tmp_path / f"b.{ending}")
    assert read_image(tmp_path / f"b.{ending}").shape == (3, 24, 32)


def test_the_preview_behind_a_photograph_of_a_phone_is_ignored(tmp_path):
    one = Image.fromarray(NOISE[..., :3])
    one.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[one.resize((8, 6))])
    assert image_size(tmp_path / "a.jpg") == tuple(read_image(tmp_path / "a.jpg").shape[1:])


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, on the way to the error
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tif", "gif"])
def test_damaged_files_of_every_kind_end_in_one_error(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(NOISE[..., :3]).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(60):
        damaged = bytearray(whole[: rng.integers(len(whole))] if trial % 2 else whole)
        for place in rng.integers(0, max(1, min(len(damaged), 200)), 6):
            damaged[place : place + 1] = rng.bytes(1)
        path.write_bytes(damaged)
        for read in (read_image, image_size, decoded_size):
            try:
                read(path)
            except InputError as error:
                assert path.name in str(error)  # noqa: PT017
