"""Short names for everything that decides a result: the same name, the same result."""

import hashlib
import json
from dataclasses import asdict, is_dataclass
from functools import partial
from types import FunctionType
from typing import Any

from torch import Tensor, uint8

from wsss_lib.core import InputError, Method, Recipe
from wsss_lib.data.full import MaskScores
from wsss_lib.data.store import ScoreStore
from wsss_lib.data.view import WeakView


def what_is_seen(view: WeakView) -> dict[str, Any]:
    """Everything that decides what a view shows, scores of an earlier stage included."""
    return {
        "view": view.name,
        "data": view.digest,
        "supervision": view.supervision,
        "longest": view.longest,
        "scores": _of_scores(view),
    }


def _of_scores(view: WeakView) -> Any:
    """Stands for the content of the scores, wherever they come from.

    Raises:
        InputError: scores that lack an image, or of another number of classes.
    """
    scores = view.scores
    if scores is None:
        return None
    if isinstance(scores, ScoreStore | MaskScores):
        return scores.digest()
    digest = hashlib.sha256()
    for id in view.ids:
        try:
            of_image = scores[id]
        except KeyError as error:
            raise InputError(f"The scores of {view.name} lack image {id!r}.") from error
        if len(of_image) != len(view.classes):
            raise InputError(
                f"The scores of {id!r} are of {len(of_image)} classes; {view.name} has "
                f"{len(view.classes)}."
            )
        _add(digest, id, of_image)
    return digest.hexdigest()


def fields_of(value: Any) -> dict[str, Any]:
    """A dataclass by its fields.

    Recipes whose images come alone are named as when there were no others, so that what was trained
    then is found again.
    """
    found = asdict(value)
    if isinstance(value, Recipe) and value.group == 1:
        del found["group"]
    return found


def settings_of(method: Method) -> dict[str, Any]:
    """Settings of a method and of its parts, functions too: what it does beside what it learned."""
    kinds = (int, float, str, bool, tuple, list, dict, type(None), partial, FunctionType)
    return {
        f"{place}.{name}": _setting(value)
        for place, part in method.named_modules()
        for name, value in sorted(vars(part).items())
        if name[0] != "_" and name not in ("training", "progress")
        if isinstance(value, kinds) or is_dataclass(value)
    }


def _setting(value: Any) -> Any:
    """A setting as plain data; functions by their names, nameless ones by what they do."""
    if is_dataclass(value) and not isinstance(value, type):
        return fields_of(value)
    if isinstance(value, partial):
        given = {name: _setting(one) for name, one in value.keywords.items()}
        return [_setting(value.func), [_setting(one) for one in value.args], given]
    if isinstance(value, FunctionType):
        name = f"{value.__module__}.{value.__qualname__}"
        if "<" not in name:
            return name
        code, held = value.__code__, [cell.cell_contents for cell in value.__closure__ or ()]
        constants = [one for one in code.co_consts if not hasattr(one, "co_code")]
        known = [_setting(one) for one in (*held, *(value.__defaults__ or ()))]
        return [name, code.co_code.hex(), code.co_names, constants, known]
    return value


def describe(method: Method) -> dict[str, Any]:
    """Everything that decides what a method will do: class, settings, modules, weights."""
    digest = hashlib.sha256()
    for name, value in sorted(method.state_dict().items()):
        _add(digest, name, value)
    return {
        "class": type(method).__name__,
        "settings": settings_of(method),
        # Strides and dilations leave no trace in the weights, only here.
        "modules": repr(method),
        "recipe": fields_of(method.recipe),
        "weights": digest.hexdigest(),
    }


def _add(digest: Any, name: str, value: Any) -> None:
    """Count a name and, where it is a tensor, its value."""
    digest.update(name.encode())
    if isinstance(value, Tensor):
        digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().reshape(-1).view(uint8).numpy().tobytes())


def fingerprint(**what: Any) -> str:
    """Twelve hexadecimal digits that stand for these values."""
    text = json.dumps(what, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
