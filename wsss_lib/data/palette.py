"""Reading and writing label images: palette PNG of PASCAL VOC, and plain grey-scale ones."""

from pathlib import Path

import numpy as np
from PIL import Image

from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.files.pictures import upright


def voc_palette() -> np.ndarray:
    """(256, 3) uint8 colours of PASCAL VOC: the bits of the index, spread over R, G and B."""
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype("u1")
    return palette


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write (H, W) class indices as a palette PNG.

    Raises:
        InputError: an index is outside 0..255.
    """
    if labels.ndim != 2 or labels.min(initial=0) < 0 or labels.max(initial=0) > 255:
        raise InputError(f"{path}: labels must be (H, W) with indices 0..255.")
    image = Image.fromarray(labels.astype(np.uint8), mode="P")
    image.putpalette(voc_palette().reshape(-1).tolist())
    with written_whole(path) as partial:
        image.save(partial, format="PNG")


def read_labels(
    path: Path,
    num_classes: int | None = None,
    colours: np.ndarray | None = None,
    unseen: int | None = None,
) -> np.ndarray:
    """Read a label image as (H, W) uint8 class indices.

    Palette PNG, grey-scale PNG of indices, and images painted in the colours of PASCAL VOC, or in
    ``colours``, are understood.

    Args:
        path: the file.
        num_classes: C; when given, indices other than 0..C and 255 are refused.
        colours: (K, 3) of background and classes, where they are not those of PASCAL VOC.
        unseen: index of transparent pixels, for layers that were painted over an image. Otherwise
            transparency means nothing.

    Raises:
        InputError: missing, truncated, no label image, indices or colours that mean nothing, a
            renumbered palette, or classes below transparent pixels.
    """
    if not path.is_file():
        raise InputError(f"No label image at {path}: add it, or leave the image out of the split.")
    image = upright(path)
    clear = _transparent(image)
    if unseen is not None and clear is not None and image.mode == "RGBA":
        image.paste((0, 0, 0, 0), mask=Image.fromarray(clear))  # their colour means nothing
    labels = _indices(path, image, colours)
    if unseen is not None and clear is not None:
        labels = np.where(clear, np.uint8(unseen), labels)
    elif clear is not None and "A" in image.getbands() and labels[clear].any():
        raise InputError(
            f"{path}: transparent pixels hold class {labels[clear].max()}, so an editor has hidden "
            "it rather than erased it, or background has a colour. Save it without transparency."
        )
    if num_classes is not None:
        strange = sorted(set(_used(labels).tolist()) - {*range(num_classes + 1), IGNORE})
        if strange:
            raise InputError(
                f"{path}: indices {strange[:8]} are neither 0..{num_classes} nor 255. Is this the "
                "mask of another data set, or a 0/255 mask? Convert it to class indices."
            )
    return labels


def _transparent(image: Image.Image) -> np.ndarray | None:
    """(H, W) bool, True where nothing can be seen; None where an image cannot be transparent."""
    if "A" in image.getbands():
        return np.asarray(image.getchannel("A")) == 0
    if "transparency" in image.info:
        return np.asarray(image.convert("RGBA").getchannel("A")) == 0
    return None


def _indices(path: Path, image: Image.Image, colours: np.ndarray | None) -> np.ndarray:
    """(H, W) class indices, whatever stands behind transparent pixels."""
    if image.mode in ("RGB", "RGBA"):
        return _indices_of_colours(path, np.asarray(image.convert("RGB")), colours)
    if image.mode not in ("P", "PA", "L", "LA", "1"):
        raise InputError(
            f"{path}: mode {image.mode!r} is no label image; expected a palette or 8-bit PNG."
        )
    array = np.asarray(image)
    labels = (array if array.ndim == 2 else array[..., 0]).astype(np.uint8)
    palette = np.array(image.getpalette("RGB") or [], dtype=np.int64).reshape(-1, 3)
    used = _used(labels)
    known = used[used < len(palette)]
    shown, own = _code(palette[known]), _code(voc_palette())
    if colours is not None and known.size and (shown != own[known]).any():
        meant = {*_code(colours).tolist(), *own[IGNORE:].tolist()}
        if set(shown.tolist()) <= meant:
            return _indices_of_colours(path, np.asarray(image.convert("RGB")), colours)
    _check_order(path, used, palette)
    return labels


def _used(labels: np.ndarray) -> np.ndarray:
    """The indices that occur; counting is many times faster than the sorting of ``np.unique``."""
    return np.flatnonzero(np.bincount(labels.ravel()))


def _check_order(path: Path, used: np.ndarray, palette: np.ndarray) -> None:
    """Refuse masks in the colours of PASCAL VOC whose indices an image editor has renumbered.

    Masks in other colours are taken by their indices: their makers mean those.
    """
    used = used[used < len(palette)]
    meant, known = _code(palette[used]), _code(voc_palette())
    moved = used[meant != known[used]]
    if moved.size and np.isin(meant, known).all():
        index = int(moved[0])
        colour = tuple(palette[index].tolist())
        other = int(np.flatnonzero(known == _code(palette[index]))[0])
        raise InputError(
            f"{path}: its palette gives index {index} the colour {colour}, which is index {other} "
            "in PASCAL VOC: an image editor has probably renumbered it. Save it as an RGB image, "
            "whose colours are read, or with the palette of PASCAL VOC."
        )


def _code(colours: np.ndarray) -> np.ndarray:
    """(..., 3) colours as one number each."""
    return colours.astype(np.int64) @ np.array([65536, 256, 1])


def _indices_of_colours(path: Path, painted: np.ndarray, colours: np.ndarray | None) -> np.ndarray:
    palette = voc_palette()
    source = "the PASCAL VOC palette"
    known = _code(palette)
    if colours is not None:
        source = "the list of the classes' colours (labelmap.txt)"
        known = np.full(256, -1)
        known[: len(colours)], known[IGNORE] = _code(colours), _code(palette[IGNORE])
    code = _code(painted)
    order = np.argsort(known)
    place = np.searchsorted(known[order], code).clip(max=255)
    labels = order[place]
    wrong = known[labels] != code
    if wrong.any():
        colour = tuple(int(v) for v in painted[wrong][0])
        raise InputError(
            f"{path}: colour {colour} is not in {source}, so its class is unknown. Save the mask "
            "as a palette PNG or as class indices."
        )
    return labels.astype(np.uint8)
