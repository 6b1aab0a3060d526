"""One clear error for tensors that no block can use."""

from torch import Tensor

from wsss_lib.core import InputError

ROUNDING = 0.01
"""So far an image may leave [0, 1], as resizing with bicubic curves makes it."""


def check_image(who: str, image: Tensor, dims: int = 4) -> None:
    """Refuse images that are no RGB in [0, 1]: bytes, levels of 0..255, standardised ones.

    Args:
        who: name of the caller, for the message.
        image: must be (B, C, H, W), float, finite, not empty, and in [0, 1].
        dims: 3 for one image alone, which must be (3, H, W).

    Raises:
        InputError: whatever does not hold, and what to do about it.
    """
    shape = tuple(image.shape)
    if image.ndim != dims or (dims == 3 and len(image) != 3) or not image.numel():
        expected = "(3, H, W)" if dims == 3 else "(B, C, H, W)"
        raise InputError(
            f"{who}: the image must be {expected} and not empty, not {shape}; of a picture "
            "(H, W, 3) take .permute(2, 0, 1), and of one for a batch [None]."
        )
    if not image.is_floating_point():
        raise InputError(
            f"{who}: the image is {image.dtype} but must be float in [0, 1]: turn levels of 0..255 "
            "into image.float() / 255."
        )
    if not image.isfinite().all():
        raise InputError(f"{who}: the image holds NaN or infinity; look for what made them.")
    low, high = (float(value) for value in image.aminmax())
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise InputError(
            f"{who}: the image runs from {low:.3g} to {high:.3g} but must lie in [0, 1]: divide "
            "levels of 0..255 by 255; standardised images are for networks alone."
        )


def check_maps(who: str, maps: Tensor, image: Tensor | None = None) -> None:
    """Refuse maps that would fail later, or worse, give numbers that mean nothing.

    Args:
        who: name of the caller, for the message.
        maps: must be (B, C, H, W), float, finite, and not empty.
        image: if given, must pass ``check_image``, and agree in batch, height, width, dtype and
            device.

    Raises:
        InputError: whatever does not hold, and what to do about it.
    """
    if maps.ndim != 4 or maps.numel() == 0:
        raise InputError(
            f"{who}: maps must be (B, C, H, W) and not empty, not {tuple(maps.shape)}."
        )
    if not maps.is_floating_point():
        raise InputError(f"{who}: maps are {maps.dtype}; convert them with .float().")
    if not maps.isfinite().all():
        raise InputError(f"{who}: maps hold NaN or infinity; look for what made them.")
    if image is None:
        return
    check_image(who, image)
    if len(image) != len(maps) or image.shape[-2:] != maps.shape[-2:]:
        raise InputError(
            f"{who}: image {tuple(image.shape)} and maps {tuple(maps.shape)} must have the same "
            "batch, height and width; resize the maps to the image first."
        )
    if image.dtype != maps.dtype or image.device != maps.device:
        raise InputError(
            f"{who}: the image is {image.dtype} on {image.device}, the maps are {maps.dtype} on "
            f"{maps.device}; bring them together with maps.to(image)."
        )
