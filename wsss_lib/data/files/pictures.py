"""Images as cameras, scanners and editors write them."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageFile, ImageOps
from torch import Tensor

from wsss_lib.core import InputError

MOST_PIXELS = 500_000_000
"""Of an image that is read: 2 GB in memory. Larger ones are cut into tiles by other programs."""
LARGE = 4_000_000
"""From so many pixels on an image is made smaller while it is read, where it may be."""
# What Pillow raises for damaged files of one format or another.
_DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error,
)  # fmt: skip


def read_image(path: Path, longest: int | None = None, ground: str = "white") -> Tensor:
    """(3, H, W) RGB in [0, 1]; grey, palette and RGBA files are converted, EXIF turns applied.

    Args:
        path: the file.
        longest: an image of more than ``LARGE`` pixels may come smaller, as long as its longest
            side has twice so many pixels.
        ground: colour that is seen through transparent pixels.

    Raises:
        InputError: missing, truncated, or not an image; 16 bits that hold fewer; several pictures.
    """
    with _opened(path) as file:
        image = _of_eight_bits(path, file)
        if longest and image.width * image.height > LARGE:
            image = image.reduce(max(1, max(image.size) // (2 * longest)))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            behind = Image.new("RGBA", image.size, ground)
            image = Image.alpha_composite(behind, image.convert("RGBA"))
        array = np.asarray(image.convert("RGB"))
    return torch.from_numpy(array.copy()).permute(2, 0, 1).float() / 255


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image as ``read_image`` gives it; the header alone is read.

    Raises:
        InputError: missing, or not an image.
    """
    with _opened(path) as file:
        # A PNG's own way of looking decodes it all, in case that something stands at its end.
        whole = file.format != "PNG" or _tells_late(file)
        exif = file.getexif() if whole else Image.Image.getexif(file)
        # Pillow tells the size of a TIFF as it will be once it is decoded, and turned.
        turned = file.format != "TIFF" and exif.get(ExifTags.Base.Orientation, 1) > 4
        return file.size if turned else (file.height, file.width)


def check_size(file: Path, size: tuple[int, ...], image: Path) -> None:
    """Refuse a label image that does not fit its image.

    Args:
        file: the label image.
        size: its (H, W).
        image: the file of the image, whose header alone is read.

    Raises:
        InputError: the image has another size.
    """
    (height, width), (h, w) = size, image_size(image)
    if (height, width) != (h, w):
        raise InputError(
            f"{file} is {width} x {height} pixels, but its image {image.name} is {w} x {h}: export "
            "both at one size."
        )


def decoded_size(path: Path) -> tuple[int, int]:
    """(H, W) of an image that can be decoded to its end.

    Raises:
        InputError: what ``read_image`` refuses.
    """
    with _opened(path) as file:
        image = _of_eight_bits(path, file)
        return image.height, image.width


def upright(path: Path) -> Image.Image:
    """A picture as it is, decoded, its EXIF turn applied.

    Raises:
        InputError: truncated, not an image, or several pictures.
    """
    with _opened(path) as file:
        return _turned(file)


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """A picture whose header alone is read, and for damaged files one clear error.

    Pillow refuses images of 179 megapixels, with one limit for a whole process; ours is larger.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        # From a stream: a file that Pillow maps into memory itself may come unturned (TIFF).
        with path.open("rb") as stream, Image.open(stream) as file:
            if file.width * file.height > MOST_PIXELS:
                raise InputError(
                    f"{path} has {file.width * file.height / 1e6:.0f} megapixels; at most "
                    f"{MOST_PIXELS / 1e6:.0f} are read. Cut it into tiles or make it smaller."
                )
            # Phones put a preview behind a photograph; other pictures in a file have equal rights.
            pictures = 1 if file.format == "MPO" else getattr(file, "n_frames", 1)
            if pictures > 1:
                raise InputError(
                    f"{path} holds {pictures} pictures, an animation or a stack: write each into "
                    "a file of its own."
                )
            yield file
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"No image at {path}. Run `wsss doctor` on the data folder.") from error
    except _DAMAGED as error:
        raise InputError(
            f"{path} is truncated or not an image ({error}); fetch it again. `wsss doctor` lists "
            "all such files of a data folder."
        ) from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _turned(file: ImageFile.ImageFile) -> Image.Image:
    file.load()
    # Pillow copies what need not be turned.
    upright = file.getexif().get(ExifTags.Base.Orientation, 1) == 1
    return file if upright else ImageOps.exif_transpose(file)


def _of_eight_bits(path: Path, file: ImageFile.ImageFile) -> Image.Image:
    """A decoded, upright image of 8 bits a channel, in any of Pillow's modes for these."""
    deep = ";16" in str(file.tile)
    image = _turned(file)
    if image.mode == "F":
        raise InputError(f"{path} holds numbers with fractions; export it with 8 bits a channel.")
    if not deep and image.mode[0] != "I":
        return image
    extrema = np.array(image.getextrema())
    low, high = int(extrema.min()), int(extrema.max())
    alone = image.mode[0] == "I"  # Pillow keeps 16 bits of grey images, 8 of coloured ones
    if alone and (low < 0 or high > 65535):
        raise InputError(
            f"{path} holds values from {low} to {high}; export it with 8 bits, or with 16 that "
            "reach from 0 to 65535."
        )
    if 0 < high < (4096 if alone else 16):
        raise InputError(
            f"{path} has 16 bits a channel, of which the upper ones are empty, as with 12-bit "
            "cameras: it would be almost black. Stretch its values to 0..65535, or export 8 bits."
        )
    if not alone:
        return image
    # Pillow's own conversion would clip at 255.
    grey = (np.asarray(image) / np.float32(257)).round().astype(np.uint8)
    return Image.fromarray(grey)


def _tells_late(file: ImageFile.ImageFile) -> bool:
    """Whether something behind the pixels of a PNG may say that it is turned."""
    stream = file.fp
    assert stream is not None  # the file is open
    place, behind = stream.tell(), False
    stream.seek(8)
    while len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        behind = behind or kind == b"IDAT"
        words = stream.read(min(length, 32)).lower()
        if behind and (kind == b"eXIf" or (kind[1:] in (b"EXt", b"TXt") and _exif_in(words))):
            break
        stream.seek(length - min(length, 32) + 4, 1)
    stream.seek(place)
    return len(head) == 8


def _exif_in(words: bytes) -> bool:
    return b"exif" in words or b"xmp" in words
