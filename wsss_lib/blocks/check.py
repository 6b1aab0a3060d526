"""One clear error for tensors that no block can use."""

from torch import Tensor

from wsss_lib.core import InputError


def check_maps(who: str, maps: Tensor, image: Tensor | None = None) -> None:
    """Refuse maps that would fail later, or worse, give numbers that mean nothing.

    Args:
        who: name of the caller, for the message.
        maps: must be (B, C, H, W), float, finite, and not empty.
        image: if given, must be the same, and agree in batch, height, width, dtype and device.

    Raises:
        InputError: whatever does not hold, and what to do about it.
    """
    for name, tensor in (("maps", maps), ("image", image)):
        if tensor is None:
            continue
        if tensor.ndim != 4 or tensor.numel() == 0:
            raise InputError(
                f"{who}: {name} must be (B, C, H, W) and not empty, not {tuple(tensor.shape)}."
            )
        if not tensor.is_floating_point():
            raise InputError(f"{who}: {name} are {tensor.dtype}; convert them with .float().")
        if not tensor.isfinite().all():
            raise InputError(f"{who}: {name} hold NaN or infinity; look for what made them.")
    if image is None:
        return
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
