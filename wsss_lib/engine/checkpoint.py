"""What a training that was interrupted goes on from."""

from pathlib import Path
from typing import Any

import torch

from wsss_lib.core import InputError, Method
from wsss_lib.data.atomic import written_whole

CHECKPOINT = "checkpoint.pt"
"""Name of the file in the folder of a training."""


def save_checkpoint(
    path: Path,
    method: Method,
    optimizer: Any,
    purpose: str,
    step: int,
    seconds: float,
    scaler: Any = None,
) -> None:
    """Write everything that a resumed training needs; the file appears whole or not at all."""
    content = {
        "purpose": purpose,
        "method": method.card.id,
        "step": step,
        "weights": method.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler and scaler.state_dict(),  # of fp16: it finds its factor as it goes
        "seconds": seconds,
    }
    with written_whole(path) as partial:
        torch.save(content, partial)


def load_checkpoint(
    path: Path, method: Method, optimizer: Any, purpose: str, scaler: Any = None
) -> tuple[int, float]:
    """Restore a training; returns the steps done and the seconds they took, 0 without a checkpoint.

    Raises:
        InputError: the file is damaged or belongs to another method, recipe, seed or data set.
    """
    if not path.is_file():
        return 0, 0.0
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        raise InputError(
            f"{path} is damaged or no checkpoint ({error}); delete it to begin anew."
        ) from error
    if not isinstance(content, dict) or "purpose" not in content:
        raise InputError(
            f"{path} is no checkpoint of this library, though its name says so; use another folder."
        )
    if content.get("method") != method.card.id or content.get("purpose") != purpose:
        raise InputError(
            f"{path} is a checkpoint of {content.get('method')!r} with another recipe, seed or "
            f"data set, not of this training of {method.card.id!r}; use another folder."
        )
    method.load_state_dict(content["weights"])
    optimizer.load_state_dict(content["optimizer"])
    if scaler:
        scaler.load_state_dict(content["scaler"])
    return int(content["step"]), float(content["seconds"])
