"""Training and answering by one process or by several that a launcher started."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from joblib import cpu_count
from torch import Tensor, nn
from tqdm.auto import tqdm

from wsss_lib.core import Batch, InputError, Method, Recipe
from wsss_lib.data.atomic import one_at_a_time


class Losses(nn.Module):
    """A method's loss as a module's answer: the form in which processes average gradients."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The named terms of ``Method.loss``.

        Raises:
            InputError: it is no dictionary of scalars.
        """
        terms = self.method.loss(batch)
        named = isinstance(terms, dict) and terms
        if not named or any(getattr(term, "ndim", None) != 0 for term in terms.values()):
            raise InputError(
                f"{self.method.card.id}: loss has to return a dictionary of scalars, such as "
                f'{{"cls": a tensor without dimensions}}, not {terms!r:.100}.'
            )
        return terms


def accelerator_for(recipe: Recipe, cpu: bool) -> Accelerator:
    """Device, precision and processes of a training."""
    AcceleratorState._reset_state()  # or it would hold on to the precision of an earlier training
    return Accelerator(
        mixed_precision=recipe.precision,
        gradient_accumulation_steps=recipe.accumulate,
        cpu=cpu,
        # A term that waits for its turn leaves weights unused.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def share_of(method: Method, recipe: Recipe, accelerator: Accelerator) -> tuple[slice, float]:
    """This process's part of each batch, whole groups of images, and what its losses weigh.

    Processes average their gradients; where their shares differ, the weights (of mean 1) make
    that the average over the images.

    Raises:
        InputError: a batch is no number of whole groups, there are more processes than groups, or
            the method remembers what it has seen.
    """
    size, group = recipe.batch_size, recipe.group
    if group < 1 or size % group:
        raise InputError(
            f"{method.card.id}: a batch of {size} cannot be made of groups of {group} images: "
            "choose a batch_size that is a multiple of group, which is at least 1."
        )
    several, index = accelerator.num_processes, accelerator.process_index
    if several > 1 and type(method).get_extra_state is not nn.Module.get_extra_state:
        raise InputError(
            f"{method.card.id} remembers something about each image, which processes cannot share: "
            "train it with one process."
        )
    if size < several * group:
        of = f" in groups of {group}" if group > 1 else ""
        raise InputError(
            f"{method.card.id}: {several} processes cannot share a batch of {size}{of}: start "
            "fewer, or choose another batch_size."
        )
    first, end = (group * (size // group * place // several) for place in (index, index + 1))
    return slice(first, end), (end - first) * several / size


@contextmanager
def made_once(path: Path, accelerator: Accelerator) -> Iterator[None]:
    """Let one run at a time make ``path``; the processes of one run make it together."""
    with one_at_a_time(path) if accelerator.is_main_process else nullcontext():
        accelerator.wait_for_everyone()
        yield


def readers(cpu: bool) -> int:
    """Processes that read images for one that computes on a GPU: its share of the cores, at most 8.

    None where a CPU computes, which has no core to spare.
    """
    if cpu or not torch.cuda.is_available():
        return 0
    sharing = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # set by launchers
    return min(8, max(1, cpu_count() // sharing))


def bar_of(accelerator: Accelerator, **what: Any) -> Any:
    """A progress bar of the main process."""
    hidden = {} if accelerator.is_main_process else {"disable": True}
    return tqdm(leave=False, **hidden, **what)


def device_of(method: Method) -> torch.device:
    """Where a method lies, so that it can be put back: who trains on a GPU may look on a CPU."""
    tensors = itertools.chain(method.parameters(), method.buffers())
    return next(tensors, torch.empty(0)).device
