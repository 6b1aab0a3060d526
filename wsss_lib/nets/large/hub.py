"""Large models: fetched by name or folder, or the small ones that come with the library.

``transformers`` is imported inside the functions that need it, here and in its users: it takes
seconds, and finding the cards imports every method.
"""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from wsss_lib.core import InputError

WEIGHTS = Path(__file__).parents[1] / "weights"


def from_hub(kind: str, name: str | Path, loader: Any, files: str, **options: Any) -> Any:
    """What a loader of ``transformers`` makes of a folder, the cache, or a download.

    Args:
        kind: model type that the configuration must name, such as "clip".
        name: identifier on huggingface.co, or a folder written by ``save_pretrained``.
        loader: class with ``from_pretrained``.
        files: the files of such a folder, for the message.
        options: handed to ``from_pretrained``.

    Raises:
        InputError: the files are neither here nor to be had, are damaged, or of another model.
    """
    from transformers import PreTrainedConfig, PreTrainedModel

    is_model = issubclass(loader, PreTrainedModel)
    try:
        found = PreTrainedConfig.get_config_dict(name)[0].get("model_type")
        if found != kind:
            raise InputError(
                f"{name} holds a model of type {found!r}, but one of type {kind!r} is needed here."
            )
        if not is_model:
            return loader.from_pretrained(name, **options)
        model, facts = loader.from_pretrained(name, output_loading_info=True, **options)
        if facts["missing_keys"]:  # transformers would only warn, and leave them at random
            raise InputError(
                f"{name} lacks {len(facts['missing_keys'])} weights of a {kind} model, such as "
                f"{min(facts['missing_keys'])}; fetch the files anew."
            )
        return model
    except InputError:
        raise
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0].rstrip(".")
        page = f" of https://huggingface.co/{name}" if str(name).count("/") == 1 else ""
        raise InputError(
            f"the {kind} model {name} is not here and could not be fetched ({reason}). Put {files}"
            f'{page} into a folder and pass its path as the name, or use name="toy", whose weights '
            "come with the library."
        ) from error


def fill(net: nn.Module, name: str, script: str = "") -> None:
    """Load ``weights/toy_<name>.safetensors``, which ``experiments/<script>.py`` writes.

    Raises:
        InputError: the file is missing.
    """
    path = WEIGHTS / f"toy_{name}.safetensors"
    if not path.is_file():
        raise InputError(
            f"the weights {path.name} are missing: make them with "
            f"`python -m experiments.{script or f'pretrain_foundation {name}'}`, "
            "or ask for pretrained=False."
        )
    # Stored in half precision; copying into the parameters brings them back to float32.
    net.load_state_dict(load_file(path))
