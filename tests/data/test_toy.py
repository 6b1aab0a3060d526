"""The toy world: the same bytes every time, a complete layout, and every failure in its place."""

import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss_lib.core import InputError
from wsss_lib.data.toy import (
    KINDS,
    STUFF,
    VARIANTS,
    VERSION,
    Knobs,
    draw_scene,
    toy_scene,
    write_toy,
)
from wsss_lib.data.toy.imagenet import OTHERS, TASKS, toy_imagenet
from wsss_lib.data.toy.organs import ORGANS, Anatomy
from wsss_lib.data.toy.scene import BODY, HEAD, SIZE

NAMES = list(KINDS)


def read(path):
    return np.asarray(Image.open(path))


def digest(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    content = [(str(p.relative_to(folder)), p.read_bytes()) for p in files]
    return hashlib.sha256(repr(content).encode()).hexdigest()


def scenes(split="train", count=200, **knobs):
    return [draw_scene(np.random.default_rng([7, i]), Knobs(**knobs), split) for i in range(count)]


@pytest.fixture(scope="module")
def train():
    return scenes(count=400)


@pytest.fixture(scope="module")
def val():
    return scenes("val", count=400)


@pytest.fixture(scope="module", params=list(VARIANTS))
def written(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("toy") / request.param
    return request.param, write_toy(root, 3, request.param, train=24, val=8, progress=False)


def test_same_arguments_give_the_same_bytes(written, tmp_path):
    variant, root = written
    again = write_toy(tmp_path / "again", 3, variant, train=24, val=8, progress=False)
    assert digest(root) == digest(again)


def test_another_world_gives_other_bytes(written, tmp_path):
    variant, root = written
    other = write_toy(tmp_path / "other", 4, variant, train=24, val=8, progress=False)
    assert digest(root) != digest(other)


def test_a_small_world_is_the_beginning_of_a_large_one(written, tmp_path):
    variant, root = written
    small = write_toy(tmp_path / "small", 3, variant, train=5, val=2, progress=False)
    for path in (small / "JPEGImages").iterdir():
        assert path.read_bytes() == (root / "JPEGImages" / path.name).read_bytes()


def test_layout_is_complete(written):
    variant, root = written
    names = [f"train_{i:04d}" for i in range(24)] + [f"val_{i:04d}" for i in range(8)]
    for folder in ("JPEGImages", "SegmentationClass", "SegmentationObject", "Parts", "Stuff"):
        assert sorted(p.stem for p in (root / folder).iterdir()) == names
    for split in ("train", "val"):
        listed = (root / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split()
        assert listed == [name for name in names if name.startswith(split)]
    facts = json.loads((root / "dataset.json").read_text())
    assert facts == {
        "name": "toy", "version": VERSION, "variant": variant,
        "world": 3, "train": 24, "val": 8, "allows_empty": True,
    }  # fmt: skip
    assert tuple((root / "classes.txt").read_text().split()) == VARIANTS[variant].classes
    assert [p.name for p in root.parent.iterdir()] == [root.name], "a temporary folder was left"


def test_masks_agree_with_tags_captions_instances_and_parts(written):
    variant, root = written
    with (root / "image_labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (root / "captions.csv").open() as file:
        captions = {row["id"]: row["caption"] for row in csv.DictReader(file)}
    classes = VARIANTS[variant].classes
    assert len(rows) == 32
    for row in rows:
        name = row["id"]
        image = Image.open(root / "JPEGImages" / f"{name}.png")
        assert image.mode == "RGB"
        assert image.size == (SIZE, SIZE)
        label = read(root / "SegmentationClass" / f"{name}.png")
        instance = read(root / "SegmentationObject" / f"{name}.png")
        part = read(root / "Parts" / f"{name}.png")
        seen = {classes[k - 1] for k in np.unique(label) if k}
        assert seen == {c for c in classes if row[c] == "1"}
        things = {classes[k - 1] for k in np.unique(label[instance > 0])}
        words = captions[name].replace(",", "").split()
        assert things == {c for c in classes if c in words[: words.index(_ends(variant))]}
        assert ((part > 0) == (instance > 0)).all()
        assert set(np.unique(part)) <= {0, HEAD, BODY}
        for number in range(1, instance.max() + 1):
            assert (instance == number).sum() >= 6
            assert len(np.unique(label[instance == number])) == 1


def _ends(variant):
    return "in" if variant == "organs" else "on"


def test_masks_carry_the_palette_of_voc(written):
    _, root = written
    image = Image.open(next((root / "SegmentationClass").iterdir()))
    assert image.mode == "P"
    assert image.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def test_what_is_there_already_is_left_alone(tmp_path):
    root = write_toy(tmp_path / "toy", train=2, val=1, progress=False)
    before = (root / "dataset.json").stat().st_mtime_ns
    assert write_toy(root, train=2, val=1, progress=False) == root
    assert (root / "dataset.json").stat().st_mtime_ns == before
    with pytest.raises(InputError, match="something else"):
        write_toy(root, world=1, train=2, val=1, progress=False)


def test_a_killed_run_leaves_no_world_behind(tmp_path, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("wsss_lib.data.toy.write.write_labels", die)
    with pytest.raises(KeyboardInterrupt):
        write_toy(tmp_path / "toy", train=2, val=1, progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "cities"}, "choose one of"),
        ({"world": -1}, "at least 0"),
        ({"train": 0}, "at least 1"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        write_toy(tmp_path / "toy", progress=False, **arguments)
    with pytest.raises(InputError, match="no split"):
        toy_scene(0, "standard", "test", 0)


def test_head_cues_are_small_parts(train):
    for index, name in enumerate(NAMES, start=1):
        part = np.concatenate([s.part[s.label == index] for s in train])
        assert 0.08 < (part == HEAD).mean() < 0.55, name


def test_shapes_differ_in_how_much_of_their_box_they_fill():
    rates = {name: [] for name in NAMES}
    for scene in scenes(count=150, clutter=0):
        for number, index in enumerate(scene.classes, start=1):
            y, x = np.nonzero(scene.instance == number)
            if y.size > 60 and y.min() > 0 and x.min() > 0 and max(y.max(), x.max()) < SIZE - 1:
                box = (np.ptp(y) + 1) * (np.ptp(x) + 1)
                rates[NAMES[index]].append(y.size / box)
    rate = {name: np.median(values) for name, values in rates.items()}
    assert rate["bus"] > 0.62
    assert rate["snake"] < 0.42
    assert rate["snake"] < rate["boat"] < rate["bus"]
    assert rate["starfish"] < rate["wreath"] < rate["bus"]


def share(scenes_, given, what):
    given = [s for s in scenes_ if given(s)]
    return np.mean([what(s) for s in given])


def has_boat(scene):
    return NAMES.index("boat") in scene.classes


def on_water(scene):
    return scene.ground == "water"


def test_no_class_is_tied_to_a_ground(train, val):
    for split in (train, val):
        for kind in range(len(NAMES)):
            there = share(split, lambda scene: kind in scene.classes, on_water)  # noqa: B023
            assert 0.1 < there < 0.4
        assert 0.18 < np.mean([on_water(s) for s in split]) < 0.32


def test_boats_go_with_water_as_often_as_the_knob_says():
    for split, wanted in (("train", 0.9), ("val", 0.5)):
        drawn = scenes(split, 400, cooccurrence=(0.9, 0.5))
        assert abs(share(drawn, has_boat, on_water) - wanted) < 0.12
        assert share(drawn, on_water, has_boat) > 0.35
        assert 0.18 < np.mean([on_water(s) for s in drawn]) < 0.32


def test_classes_are_equally_frequent_unless_their_weights_say_otherwise(train):
    often = [np.mean([i in s.classes for s in train]) for i in range(len(NAMES))]
    assert all(abs(found - Knobs().share_with("cat")) < 0.07 for found in often)
    assert 0.02 < np.mean([not s.classes for s in train]) < 0.12
    rare = Knobs(weights={"starfish": 0.3, "bus": 0.0})
    drawn = scenes(count=300, weights=rare.weights)
    share_of = {n: np.mean([i in s.classes for s in drawn]) for i, n in enumerate(NAMES)}
    assert share_of["bus"] == rare.share_with("bus") == 0
    assert abs(share_of["starfish"] - rare.share_with("starfish")) < 0.04
    assert share_of["starfish"] < 0.5 * share_of["cat"]


@pytest.mark.parametrize(
    "turned",
    [{"head_contrast": 0.3}, {"typical_hue": 0.0}, {"typical_surface": 0.0}, {"camouflage": 1.0},
     {"two_tone": 1.0}, {"cooccurrence": (1.0, 1.0)}],
    ids=lambda turned: next(iter(turned)),
)  # fmt: skip
def test_a_knob_leaves_the_rest_of_a_picture_as_it_was(turned):
    changed = 0
    for one, other in zip(scenes(count=20), scenes(count=20, **turned), strict=True):
        assert (one.label == other.label).all()
        assert (one.part == other.part).all()
        changed += bool((one.image != other.image).any())
    assert changed > 0


def test_clutter_lies_behind_the_same_objects():
    for one, other in zip(scenes(count=20, clutter=0), scenes(count=20, clutter=6), strict=True):
        assert (one.label == other.label).all()
        assert ((one.stuff == 0) & (one.label == 0)).sum() == 0
    assert (
        np.mean([((s.stuff == 0) & (s.label == 0)).mean() for s in scenes(count=40, clutter=6)])
        > 0.02
    )


def test_a_second_hue_lies_on_one_side_of_a_body():
    halves = 0
    for one, other in zip(scenes(count=30), scenes(count=30, two_tone=1.0), strict=True):
        body = one.part == BODY
        gap = np.abs(one.image.astype(int) - other.image.astype(int)).max(axis=2) > 12
        assert gap[one.stuff > 0].mean() < 0.03  # the borders, which are averaged, aside
        halves += 0.2 < gap[body].mean() < 0.8 if body.any() else 0
    assert halves > 10


def test_turned_knobs_are_written_down_and_unknown_ones_refused(tmp_path):
    root = write_toy(tmp_path / "w", train=2, val=1, knobs={"clutter": 5}, progress=False)
    assert json.loads((root / "dataset.json").read_text())["knobs"] == {"clutter": 5}
    write_toy(tmp_path / "w", train=2, val=1, knobs={"clutter": 5}, progress=False)
    with pytest.raises(InputError, match="holds something else"):
        write_toy(tmp_path / "w", train=2, val=1, knobs={"clutter": 4}, progress=False)
    with pytest.raises(InputError, match=r"no knobs \['cluter'\]; it has head_contrast"):
        write_toy(tmp_path / "x", train=2, val=1, knobs={"cluter": 5}, progress=False)
    with pytest.raises(InputError, match=r"no knobs \['clutter'\]; it has overlap"):
        write_toy(tmp_path / "x", variant="organs", train=2, val=1, knobs={"clutter": 5})


def test_objects_hide_each_other(train):
    alone = [s for s in train if len(s.classes) == 1]
    touching = 0
    for scene in train:
        a, b = scene.instance[:, :-1], scene.instance[:, 1:]
        touching += bool(((a != b) & (a > 0) & (b > 0)).any())
    assert touching / len(train) > 0.1
    assert len(alone) / len(train) > 0.35


def test_stuff_is_named_where_no_object_and_no_clutter_is(train):
    clutter = 0
    for scene in train[:80]:
        assert (scene.stuff[scene.label > 0] == 0).all()
        assert 1 + STUFF.index(scene.ground) in scene.stuff
        clutter += bool(((scene.stuff == 0) & (scene.label == 0)).any())
    assert clutter > 30


def test_knobs_turn():
    def colours(part, **knobs):
        return np.concatenate([s.image[s.part == part] for s in scenes(count=60, **knobs)])

    for name, low, high in (("head_size", 0.8, 1.4), ("clutter", 0, 4)):
        small, large = (scenes(count=60, **{name: value}) for value in (low, high))
        if name == "head_size":
            heads = [np.mean([(s.part == HEAD).mean() for s in group]) for group in (small, large)]
            assert heads[1] > 1.3 * heads[0]
        else:
            extra = [
                np.mean([((s.stuff == 0) & (s.label == 0)).mean() for s in group])
                for group in (small, large)
            ]
            assert extra[1] > extra[0] + 0.02
    assert colours(HEAD, head_contrast=0.0).std() < colours(HEAD, head_contrast=1.0).std()
    plain = np.mean([s.label.astype(bool).mean() for s in scenes(count=60, empty=0.0)])
    assert plain > np.mean([s.label.astype(bool).mean() for s in scenes(count=60, empty=0.5)])


def test_cooccurrence_variant_is_stronger_and_its_boats_have_a_faint_bow():
    pairs = [
        [toy_scene(0, variant, "train", i) for i in range(150)]
        for variant in ("standard", "cooccurrence")
    ]
    usual, strong = (share(group, has_boat, on_water) for group in pairs)
    assert strong > usual
    boat = 1 + NAMES.index("boat")

    def cue(group):
        """How far the bow's colours are from those of the hull behind it."""
        gaps = []
        for scene in group:
            here = scene.label == boat
            head, body = here & (scene.part == HEAD), here & (scene.part == BODY)
            if head.sum() > 8 and body.sum() > 8:
                gaps.append(abs(scene.image[head].mean(0) - scene.image[body].mean(0)).mean())
        return np.mean(gaps)

    assert cue(pairs[1]) < 0.75 * cue(pairs[0])


def test_organs_are_grey_and_come_together():
    slices = [toy_scene(0, "organs", "train", i) for i in range(150)]
    names = list(VARIANTS["organs"].classes)
    assert all((s.image[..., :1] == s.image).all() for s in slices)
    liver, spleen, bladder = (
        np.array([names.index(n) in s.classes for s in slices])
        for n in ("liver", "spleen", "bladder")
    )
    assert spleen[liver].mean() > 0.7
    assert spleen[~liver].mean() < 0.2
    assert not (bladder & liver).any()
    assert 0.1 < bladder.mean() < 0.4


def test_heights_of_organs_are_drawn_apart_and_together():
    names = list(VARIANTS["organs"].classes)

    def together(overlap):
        slices = [toy_scene(0, "organs", "train", i, {"overlap": overlap}) for i in range(80)]
        return np.array([[c in s.classes for c in range(len(names))] for s in slices])

    assert together(0.0).sum(axis=1).max() == 1, "no two ranges meet"
    seen = together(1.0).sum(axis=1)
    assert ((seen == 0) | (seen >= 3)).all(), "all of them, but for what is missing by chance"
    assert 0.3 < (seen > 0).mean() < 0.7
    some = {o: Anatomy(o).range("spleen") for o in (0.5, 0.75, 1.0)}
    assert some[0.5] == ORGANS["spleen"].range
    assert np.allclose(some[0.75], np.mean([some[0.5], some[1.0]], axis=0))
    with pytest.raises(InputError, match="between 0 and 1"):
        Anatomy(1.2)


def test_usual_slices_are_those_that_were_always_drawn():
    """Written down before the heights of organs could be turned: areas, and how light it is."""
    for knobs in ({}, {"overlap": 0.5}):
        scene = toy_scene(0, "organs", "train", 3, knobs)
        assert scene.classes == [0, 1, 3]
        assert np.bincount(scene.label.ravel()).tolist() == [3264, 483, 142, 0, 207]
        assert abs(int(scene.image.sum()) - 777537) < 50  # rounding differs between machines


def test_scenes_leave_only_clutter_unnamed():
    for index in range(40):
        scene = toy_scene(0, "scenes", "train", index)
        thing = scene.instance > 0
        assert ((scene.label == 0) == ((scene.stuff == 0) & ~thing)).all()
        assert (scene.label[thing] > len(STUFF)).all()
        assert (scene.label[~thing] == scene.stuff[~thing]).all()


def test_toy_imagenet_is_deterministic_and_shows_no_toy_class():
    images, labels = toy_imagenet(40, seed=5)
    again, _ = toy_imagenet(12, seed=5)
    assert (images[:12] == again).all()
    assert (images[:12] != toy_imagenet(12, seed=6)[0]).any()
    assert images.shape == (40, 3, SIZE, SIZE)
    assert labels.shape == (40, len(TASKS))
    for k, names in enumerate(TASKS.values()):
        assert labels[:, k].min() >= 0
        assert labels[:, k].max() < len(names)
    shapes = {TASKS["shape"][k] for k in labels[:, list(TASKS).index("shape")].tolist()}
    assert shapes <= set(OTHERS)
    assert not shapes & set(NAMES)


@pytest.fixture(scope="module")
def search():
    path = Path(__file__).parents[2] / "results" / "search.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_search_record_is_about_this_world(search):
    assert {entry["data_version"] for entry in search["entries"]} == {VERSION}
    turned = [entry["knobs"] for entry in search["entries"]]
    assert {} in turned, "the standard world itself was looked at"
    for entry in search["entries"]:
        VARIANTS["standard"].turned(entry["knobs"])
        assert (entry["world"], entry["seed"]) == (0, 0), "selected elsewhere"
        assert set(entry["figures"]) == {"cam", "pamr"}, "no system decides about its world"


def numbers(value):
    """All the numbers in nested figures."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return {number for item in value for number in numbers(item)}
    return {value} if isinstance(value, float | int) else set()


def test_every_figure_of_the_first_search_note_was_recorded(search):
    known, search = set(), search["version 1.0"]
    for entry in search["entries"]:
        figures = entry["figures"]
        known |= numbers(figures)
        refined = [figures["pamr"]] if "pamr" in figures else []
        for other in [*refined, *figures.get("affinity", [])]:
            known.add(round(other["miou"] - figures["cam"]["miou"], 3))
    ceilings = [
        net["val_miou"]
        for entry in search["entries"]
        if entry["stage"] == "confirmation"
        for net in entry["figures"].get("segmenter", [])
        if net["setting"]["labels_from"] == "masks"
    ]
    known.add(round(float(np.mean(ceilings)), 3))
    quoted = [float(n) for line in search["note"] for n in re.findall(r"0\.\d{3}", line)]
    assert len(quoted) > 30
    assert not [n for n in quoted if n not in known]
