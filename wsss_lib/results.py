"""Measured figures: files below ``results/``, the only source of numbers in the book."""

import json
import math
import os
import platform
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsss_lib.core import InputError
from wsss_lib.data.atomic import written_whole
from wsss_lib.evaluate import Protocol

_VERSIONS = ("torch", "torchvision", "numpy", "accelerate", "wsss-lib")


def write_result(
    path: Path | str,
    method: str,
    protocol: Protocol,
    runs: Sequence[Mapping[str, Any]],
    curves: Sequence[np.ndarray] = (),
    **extra: Any,
) -> None:
    """Store the figures of a method over several seeds, with everything needed to judge them.

    Args:
        path: the file to write, atomically.
        method: id of the method, or what else was measured.
        protocol: how the figures came about.
        runs: one dict of figures per seed; numbers are summarised by mean and sample deviation.
        curves: mean IoU at thresholds 0, 0.01, ..., 1, one array per run.
        extra: further entries of the file.

    Raises:
        InputError: there are no runs.
    """
    if not runs:
        raise InputError(f"{path}: a result needs at least one run.")
    content: dict[str, Any] = {
        "method": method,
        "data": protocol.data,
        "data_version": protocol.data_version,
        "protocol": asdict(protocol),
        "runs": list(runs),
        "summary": summarise(runs),
        **extra,
        "device": device_name(),
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in _VERSIONS},
        "commit": commit(),
    }
    if len(curves):
        content["curve"] = {
            "threshold": np.linspace(0, 1, len(curves[0])).round(4).tolist(),
            "miou": np.mean(curves, axis=0).round(4).tolist(),
        }
    write_json(path, content)


def write_json(path: Path | str, content: Any) -> None:
    """Write JSON so that the file appears whole or not at all; numbers keep five digits.

    Figures that do not exist, such as the precision of a class that is never predicted, become
    null: JSON has no NaN.
    """
    with written_whole(Path(path)) as partial:
        partial.write_text(json.dumps(_rounded(content), indent=1) + "\n", encoding="utf-8")


def read_result(path: Path | str) -> dict[str, Any]:
    """Read a result file.

    Raises:
        InputError: there is none, or it is damaged.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"No result at {path}: regenerate it with `make results`.") from error
    except ValueError as error:  # no JSON, or no text
        raise InputError(f"{path} is damaged ({error}); regenerate it.") from error


def write_arrays(
    path: Path | str, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]
) -> None:
    """Store arrays with what they are, so that the file appears whole or not at all.

    Args:
        path: the .npz file.
        arrays: by name.
        about: what can be said of them in JSON; device, versions and commit are added.
    """
    content = {
        **_rounded(about),
        "device": device_name(),
        "versions": {name: version(name) for name in _VERSIONS},
        "commit": commit(),
    }
    named: dict[str, Any] = {**arrays, "about": np.array(json.dumps(content))}
    with written_whole(Path(path)) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **named)


def read_arrays(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read the arrays by name, and what is said of them.

    Raises:
        InputError: there are none, or the file is damaged.
    """
    path = Path(path)
    try:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
            return arrays, json.loads(str(arrays.pop("about")))
    except FileNotFoundError as error:
        raise InputError(f"No arrays at {path}: regenerate them with `make results`.") from error
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise InputError(f"{path} is damaged ({error}); regenerate it.") from error


def is_result(content: Any) -> bool:
    """Whether a JSON file holds figures with their protocol, as ``write_result`` writes them."""

    def has(part: Any, **kinds: Any) -> bool:
        return isinstance(part, dict) and all(isinstance(part.get(k), t) for k, t in kinds.items())

    return (
        has(content, data=str, method=str, device=str, protocol=dict, summary=dict)
        and has(
            content["protocol"], split=str, threshold_rule=str, labels_at_inference=bool, needs=list
        )
        and has(content["summary"].get("miou"), mean=int | float, sd=int | float, n=int)
    )


def summarise(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean, sample standard deviation and count of every numeric figure of the runs."""
    summary = {}
    for name, first in runs[0].items():
        if name in ("seed", "world") or not isinstance(first, int | float):
            continue
        values = np.array([run[name] for run in runs], dtype=float)
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        summary[name] = {"mean": float(values.mean()), "sd": spread, "n": len(values)}
    return summary


def device_name() -> str:
    """The GPU's name, or the processor's architecture and number of cores."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return cpu_name()


def cpu_name() -> str:
    """The processor's architecture and number of cores."""
    return f"CPU, {platform.machine()}, {os.cpu_count()} cores"


@cache
def commit() -> str:
    """The checkout's commit, with "+" where files differ from it; "" outside a checkout.

    Asked once: the results that a process writes would count as differences for those after them.
    """
    here = Path(__file__).parent
    try:
        head = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=here, capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
