"""The words of the tiny CLIP and of the tiny detector."""

from collections.abc import Sequence

import torch
from torch import Tensor

from wsss_lib.core import InputError

CLASSES = ("bus", "cat", "boat", "snake", "wreath", "starfish")
"""The classes of the toy world in their order."""
PLACES = ("meadow", "sand", "water", "stone", "snow", "sky")
"""Its grounds, and the sky."""
_PARTICLES = ("a", "the", "and", "on", "of", "photo", "nothing", "under")
END, START = 0, 1
"""Numbers of the marks around a sentence."""
_MARKS = ("<end>", "<start>")
VOCABULARY = {word: number for number, word in enumerate((*_MARKS, *CLASSES, *PLACES, *_PARTICLES))}
"""The 20 words of the tiny models, and the two marks around a sentence."""
CONTEXT = 20
"""Longest sentence of the tiny models in words, its two marks included."""


def toy_tokens(prompts: Sequence[str]) -> Tensor:
    """Sentences of the ``VOCABULARY`` as numbers, (n, ``CONTEXT``).

    Raises:
        InputError: a word is not one of them, or a sentence is too long.
    """
    rows = []
    for prompt in prompts:
        words = prompt.lower().replace(",", " ").replace(".", " ").split()
        unknown = [word for word in words if word not in VOCABULARY]
        if unknown:
            raise InputError(
                f"the tiny models do not know {unknown[0]!r} of {prompt!r}; they know "
                f"{', '.join(list(VOCABULARY)[2:])}."
            )
        if len(words) > CONTEXT - 2:
            raise InputError(f"{prompt!r} has more than {CONTEXT - 2} words.")
        row = [START, *[VOCABULARY[word] for word in words]]
        rows.append(row + [END] * (CONTEXT - len(row)))
    return torch.tensor(rows)
