"""Oxford-IIIT Pet: ``python -m data_scripts.pets data/pets`` (0.8 GB), cats and dogs.

7,349 photographs of 37 breeds, each of one animal with a mask. The archives are those that
``torchvision.datasets.OxfordIIITPet`` fetches. Written as the layout of PASCAL VOC:

- ``train.txt`` holds what the authors call ``trainval``, ``val.txt`` what they call ``test``. They
  list one breed after the other; here breeds take turns, so that the first tenth, which chooses
  thresholds, holds all of them.
- Two classes, cat and dog; ``--breeds`` makes the 37 breeds classes instead.
- The authors leave the outline of an animal undecided, some pixels wide: 255 here.

The boxes that the authors drew are of heads only; boxes of whole animals are made from the masks.
"""

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from tqdm.auto import tqdm

from data_scripts.fetch import Remote
from data_scripts.layout import move_missing, write_split, write_tags
from data_scripts.make import make
from data_scripts.sources import unpacked
from wsss_lib.cli.errors import plainly
from wsss_lib.core import IGNORE, InputError
from wsss_lib.data.palette import read_labels, write_labels

_FROM = "https://www.robots.ox.ac.uk/~vgg/data/pets/data"
IMAGES = Remote(
    "images.tar.gz",
    (f"{_FROM}/images.tar.gz", "https://thor.robots.ox.ac.uk/~vgg/data/pets/images.tar.gz"),
    digests=(("md5", "5c4f3ee8e5d25df40f4fd59a7f44e54c"),),
    option="--images-from FILE",
    wanted=lambda name: name.endswith(".jpg"),
)
ANNOTATIONS = Remote(
    "annotations.tar.gz",
    (
        f"{_FROM}/annotations.tar.gz",
        "https://thor.robots.ox.ac.uk/~vgg/data/pets/annotations.tar.gz",
    ),
    digests=(("md5", "95a8c909bbe2e81eed6a22bccdf3f68f"),),
    option="--annotations-from FILE",
    # Macs have left a second file beside many a mask.
    wanted=lambda name: not name.rsplit("/", 1)[-1].startswith("._"),
)
TERMS = (
    "The photographs and masks are under CC BY-SA 4.0: "
    "https://www.robots.ox.ac.uk/~vgg/data/pets/. Cite Parkhi et al. (CVPR 2012)."
)
SPECIES = ("cat", "dog")
SPLITS = {"train": "trainval", "val": "test"}
_ANIMAL, _GROUND, _OUTLINE = 1, 2, 3
"""What the numbers of a trimap mean."""


@dataclass(frozen=True)
class Pet:
    """A line of ``trainval.txt`` or ``test.txt``, such as "Abyssinian_100 1 1 1".

    Attributes:
        id: name of the photograph: its breed and a number.
        breed: 1 to 37.
        species: 1 for cats, 2 for dogs.
    """

    id: str
    breed: int
    species: int

    @property
    def name_of_breed(self) -> str:
        """Such as "american bulldog"."""
        return self.id.rpartition("_")[0].replace("_", " ").lower()


def read_list(path: Path) -> list[Pet]:
    """The animals of a list, breeds in turns.

    Raises:
        InputError: no such file, or a line of another form.
    """
    if not path.is_file():
        raise InputError(f"No {path}: the archive is not that of Oxford-IIIT Pet.")
    breeds: dict[int, list[Pet]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        try:
            id, breed, species, _ = line.split()
            pet = Pet(id, int(breed), int(species))
        except ValueError as error:
            raise InputError(
                f"{path}: {line!r} is not an id and three numbers; fetch the archive again."
            ) from error
        if pet.species not in (1, 2) or not pet.name_of_breed:
            raise InputError(f"{path}: {line!r} names no cat and no dog; fetch the archive again.")
        breeds.setdefault(pet.breed, []).append(pet)
    turns = zip_longest(*(breeds[number] for number in sorted(breeds)))
    return [pet for turn in turns for pet in turn if pet is not None]


def labels_of(trimap: Path, number: int) -> np.ndarray:
    """(H, W) uint8: the animal as class ``number``, 0 around it, 255 where nobody decided.

    Raises:
        InputError: the mask is missing, or holds other numbers than 1, 2 and 3.
    """
    if not trimap.is_file():
        raise InputError(f"No {trimap}: the annotations lack a mask; fetch the archive again.")
    drawn = read_labels(trimap)
    if strange := sorted({*np.unique(drawn).tolist()} - {_ANIMAL, _GROUND, _OUTLINE}):
        raise InputError(f"{trimap} holds {strange[:5]}, and not 1, 2 and 3 alone.")
    return np.array([IGNORE, number, 0, IGNORE], np.uint8)[drawn]


def convert(root: Path, images: Path, annotations: Path, breeds: bool = False) -> None:
    """Lay the data set out.

    Args:
        root: the data folder.
        images: the folder of photographs.
        annotations: the folder that holds ``trainval.txt``, ``test.txt`` and ``trimaps``.
        breeds: 37 classes, not two.

    Raises:
        InputError: the unpacked folders are not what they should be.
    """
    pets = {split: read_list(annotations / f"{name}.txt") for split, name in SPLITS.items()}
    everybody = [pet for part in pets.values() for pet in part]
    kinds = {pet.breed: pet.name_of_breed for pet in everybody}
    classes = [kinds[number] for number in sorted(kinds)] if breeds else [*SPECIES]
    numbers = {
        pet.id: 1 + classes.index(pet.name_of_breed) if breeds else pet.species for pet in everybody
    }
    for split, part in pets.items():
        for pet in tqdm(part, desc=split):
            mask = root / "SegmentationClass" / f"{pet.id}.png"
            if not mask.is_file():
                trimap = annotations / "trimaps" / f"{pet.id}.png"
                write_labels(mask, labels_of(trimap, numbers[pet.id]))
            move_missing(images / f"{pet.id}.jpg", root / "JPEGImages" / f"{pet.id}.jpg")
        write_split(root, split, [pet.id for pet in part])
    write_tags(root, classes, ((id, {number}) for id, number in numbers.items()))


def main(
    root: Annotated[Path, typer.Argument(help="The data folder to make.")],
    images_from: Annotated[Path | None, typer.Option(help="The photographs, if here.")] = None,
    annotations_from: Annotated[Path | None, typer.Option(help="The masks, if here.")] = None,
    breeds: Annotated[bool, typer.Option("--breeds", help="37 classes, not two.")] = False,
    downloads: Annotated[Path, typer.Option(help="Where archives go.")] = Path("data/downloads"),
) -> None:
    """Get Oxford-IIIT Pet (0.8 GB) and lay it out for the library."""

    def build(work: Path) -> None:
        sources = [(IMAGES, images_from), (ANNOTATIONS, annotations_from)]
        images, annotations = unpacked(sources, downloads, work)
        convert(root, images / "images", annotations / "annotations", breeds)

    make(root, "pets", TERMS, build, breeds=breeds)


if __name__ == "__main__":
    typer.run(plainly(main))
