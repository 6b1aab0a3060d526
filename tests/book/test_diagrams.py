"""Diagrams say what the code does: its fields, its weights, its terms, and where gradients stop."""

import re
from collections import Counter
from dataclasses import fields, replace
from itertools import pairwise

import pytest
import torch
from bs4 import BeautifulSoup
from diagrams.collection import DIAGRAMS, find
from diagrams.description import (
    FORWARD,
    Arrow,
    Diagram,
    Node,
    answer,
    flow,
    given,
    learned,
    step,
    stop,
    term,
)  # fmt: skip
from diagrams.drawing import svg
from diagrams.layout import arrange

from tests.battery.test_all_systems import fresh, groups_of, make_batch, total
from wsss_lib.core import Batch, InputError, Method
from wsss_lib.engine import make_optimizer
from wsss_lib.survey import find_methods

METHODS = find_methods()
FIELDS = {field.name for field in fields(Batch)}
PHASES = ((0.0, 32, 0), (0.5, 32, 0), (1.0, 64, 5))
"""Share of the training at which terms are asked for, side of the images, steps taken before.

Some systems change what they learn, and some teach nothing before they are sure of anything.
"""
APART = {"spml"}
"""Systems that compare images which share no class: every second image shows another one."""
every = pytest.mark.parametrize("kind", METHODS.values(), ids=METHODS.keys())
drawn = pytest.mark.parametrize("diagram", DIAGRAMS.values(), ids=DIAGRAMS.keys())


class Watched(Batch):
    """A batch that remembers which of its fields somebody looked at and found something in."""

    def __init__(self, batch):
        super().__init__(**vars(batch))
        object.__setattr__(self, "read", set())

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        if name in FIELDS and value is not None:
            super().__getattribute__("read").add(name)
        return value


def groups(diagram, *kinds):
    """Nodes by the weights that they stand for."""
    found = {}
    for node in diagram.of(*kinds):
        found.setdefault(node.weights, []).append(node.key)
    return found


def of_prefix(method, prefix):
    """Names of the weights of a module."""
    return {name for name, _ in method.named_parameters() if f"{name}.".startswith(f"{prefix}.")}


def apart(batch):
    """The batch, class 1 of every second image drawn as the absent class."""
    scribble = batch.scribble.clone()
    scribble[1::2] = scribble[1::2].masked_fill(scribble[1::2] == 1, 3)
    return replace(batch, scribble=scribble)


def steps_of(kind, phases):
    """For each phase a fresh method, its terms, and what it looked at."""
    for progress, size, steps in phases:
        batch = groups_of(kind, 2, size)  # before the seed is set
        batch = Watched(apart(batch) if kind.card.id in APART else batch)
        method = fresh(kind).train()
        method.progress = progress
        if method.recipe.steps:
            optimizer = make_optimizer(method, method.recipe)
            for _ in range(steps):
                optimizer.zero_grad()
                total(method.loss(batch)).backward()
                optimizer.step()
        yield method, method.loss(batch), batch.read


def taught_by(value, method):
    """Names of the weights in which a term has a slope."""
    own = {name: weight for name, weight in method.named_parameters() if weight.requires_grad}
    slopes = torch.autograd.grad(value, [*own.values()], retain_graph=True, allow_unused=True)
    return {
        name for name, slope in zip(own, slopes, strict=True) if slope is not None and slope.any()
    }


def disagreements(diagram: Diagram, kind: type[Method], phases=PHASES) -> list[str]:
    """All in which a diagram and a training step of a system differ."""
    terms, read, taught = set(), set(), set()
    for method, found, looked_at in steps_of(kind, phases):
        terms |= set(found)
        read |= looked_at
        for key, value in found.items():
            names = taught_by(value, method)
            for weights in groups(diagram, "learned", "frozen"):
                if any(names & of_prefix(method, prefix) for prefix in weights):
                    taught.add((weights, key))
    key_of = {name: node.key for node in diagram.of("loss") for name in node.names}
    said = []
    if set(key_of) != terms:
        said.append(f"terms: {sorted(key_of)} are drawn, {sorted(terms)} are computed")
    key_of = {name: key for name, key in key_of.items() if name in terms}
    said += wrongly_read(diagram, key_of.values(), read, answered_from(kind, method))
    return said + wrongly_taught(diagram, key_of, taught) + wrongly_held(diagram, method)


def answered_from(kind, method):
    """The fields that an answer looks at; tags only where it is meant to have them."""
    batch = make_batch(2)
    if not kind.card.uses_tags_at_inference:
        batch = replace(batch, tags=None)
    batch = Watched(batch)
    method.eval().predict(batch)
    return batch.read


def wrongly_read(diagram, terms, read, answered):
    """Fields that lead to the terms and to the answer, beside those that were looked at."""
    inputs = {node.key for node in diagram.of("given")}
    # What is kept of a step without a gradient, such as a memory, is read in training as well.
    ends = {*terms, *(arrow.end for arrow in diagram.arrows if arrow.style == "stop")}
    trained = {key for one in ends for key in diagram.before(one, FORWARD)}
    replied = diagram.before("answer", [*FORWARD, "reply"])
    return [
        f"fields of the {what}: {sorted(lead & inputs)} are drawn, {sorted(seen)} are read"
        for what, lead, seen in (("loss", trained, read), ("answer", replied, answered))
        if lead & inputs != seen
    ]


def wrongly_taught(diagram, key_of, taught):
    """Weights to which a term's gradient is drawn and does not come, or comes undrawn."""
    learned, said = groups(diagram, "learned"), []
    for weights in groups(diagram, "learned", "frozen"):
        for name, key in key_of.items():
            is_drawn = bool(diagram.before(key, ["flow"]) & set(learned.get(weights, ())))
            if is_drawn != ((weights, name) in taught):
                verb = "is drawn to teach" if is_drawn else "teaches, but is not drawn to teach,"
                said.append(f"{name} {verb} {', '.join(weights)}")
    return said


def wrongly_held(diagram, method):
    """Weights that belong to no node, or to two."""
    prefixes = [prefix for weights in groups(diagram, "learned", "frozen") for prefix in weights]
    held = Counter(name for prefix in prefixes for name in of_prefix(method, prefix))
    return [
        f"the weight {name} is drawn {held[name]} times"
        for name in dict(method.named_parameters())
        if held[name] != 1
    ]


def test_a_diagram_has_the_name_of_its_system():
    found = {id: one.name for id, one in DIAGRAMS.items() if id in METHODS}
    assert found == {id: METHODS[id].card.name for id in found}


@every
def test_a_diagram_shows_what_the_code_reads_learns_and_minimises(kind):
    assert not disagreements(find(kind.card.id), kind)


@pytest.mark.parametrize("id", METHODS.keys())
def test_a_diagram_says_which_part_is_the_idea_and_ends_in_an_answer(id):
    diagram = find(id)
    assert diagram.of("answer")
    assert any(node.idea for node in diagram.nodes)
    assert diagram.before("answer", [*FORWARD, "reply"]) >= {"image"} or id == "bbox_rect"


@drawn
def test_nothing_is_left_over(diagram):
    """Everything leads to a term or to the answer, and all but what is given comes from somewhere.

    What is drawn twice with the same weights has them from its twin.
    """
    ends = [node.key for node in diagram.of("loss", "answer")]
    used = set().union(*(diagram.before(end, [*FORWARD, "reply"]) for end in ends))
    assert used == {node.key for node in diagram.nodes}
    reached = {arrow.end for arrow in diagram.arrows if arrow.style != "same"}
    sources = {node.key for node in diagram.nodes} - reached
    assert sources == {node.key for node in diagram.of("given")}
    for arrow in diagram.arrows:
        if arrow.style == "same":
            assert diagram.node(arrow.start).weights == diagram.node(arrow.end).weights


@drawn
def test_arrows_go_around_boxes_and_words_fit(diagram):
    layout = arrange(diagram)  # which measures the words
    for route in layout.routes:
        for (x0, y0), (x1, y1) in pairwise(route.points):
            for key, box in layout.boxes.items():
                inside = (
                    min(x0, x1) < box.x + box.width - 1 and max(x0, x1) > box.x + 1
                    and min(y0, y1) < box.y + box.height - 1 and max(y0, y1) > box.y + 1
                )  # fmt: skip
                assert not inside, f"{route.arrow} crosses {key}"


def shared_length(one, other):
    """How far two lines, upright or across, lie on each other."""
    for axis in (0, 1):
        if all(abs(end[axis] - one[0][axis]) < 3 for end in (one[1], *other)):
            (a, b), (c, d) = (sorted(end[1 - axis] for end in line) for line in (one, other))
            return min(b, d) - max(a, c)
    return 0


@drawn
def test_arrows_of_two_origins_do_not_lie_on_each_other(diagram):
    lines = [
        (route.arrow, (start, end))
        for route in arrange(diagram).routes
        for start, end in pairwise(route.points)
    ]
    for arrow, line in lines:
        for other, other_line in lines:
            if (arrow.start, arrow.style == "reply") != (other.start, other.style == "reply"):
                assert shared_length(line, other_line) <= 0, f"{arrow} lies on {other}"


@drawn
def test_a_diagram_is_readable_on_a_telephone_and_says_all_in_words(diagram):
    page = BeautifulSoup(svg(diagram), "html.parser")
    width = float(page.svg["viewbox"].split()[2])
    sizes = [float(text["font-size"]) for text in page.find_all("text")]
    assert min(sizes) * 358 / width >= 10  # what a page of 390 pixels leaves of them
    words = page.desc.text
    assert all(node.words in words for node in diagram.nodes)
    assert page.svg["role"] == "img"
    assert page.svg["aria-labelledby"] == page.title["id"]


def small(**changes) -> Diagram:
    """A diagram of CAM, or of what it is not."""
    nodes = {
        "image": given("image", (0, 0)),
        "tags": given("tags", (2, 0)),
        "net": learned("net", "net", (0, 1), "backbone", "classifier"),
        "cls": term("cls", "classes", (1, 2), idea=True),
        "answer": answer("maps", (0, 3)),
    }
    arrows = flow("image", "net", "cls") + flow("tags", "cls") + flow("net", "answer")
    arrows += flow("tags", "answer")
    nodes |= changes.pop("nodes", {})
    return Diagram("cam", "CAM", tuple(nodes.values()), changes.pop("arrows", arrows))


def test_the_comparison_sees_what_is_wrong():
    cam, first = METHODS["cam"], PHASES[:1]
    assert not disagreements(small(), cam, first)
    more = term("more", "more", (2, 2))
    assert "terms" in disagreements(small(nodes={"more": more}), cam, first)[0]
    renamed = term("class", "classes", (1, 2))
    arrows = flow("image", "net", "class") + flow("tags", "class", "answer") + flow("net", "answer")
    assert "terms" in disagreements(small(nodes={"cls": renamed}, arrows=arrows), cam, first)[0]
    stopped = flow("image", "net", "answer") + stop("net", "cls") + flow("tags", "cls", "answer")
    assert any(
        "not drawn to teach" in line for line in disagreements(small(arrows=stopped), cam, first)
    )
    untagged = flow("image", "net", "cls") + flow("net", "answer")
    assert any("of the loss" in line for line in disagreements(small(arrows=untagged), cam, first))
    half = {"net": learned("net", "net", (0, 1), "backbone")}
    assert any("classifier" in line for line in disagreements(small(nodes=half), cam, first))


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(InputError, match="wider than its box"):
        arrange(small(nodes={"net": learned("net", "far too many words for a box", (0, 1))}))
    with pytest.raises(InputError, match="covers"):
        arrange(small(nodes={"more": step("more", "more", (0.5, 1))}))
    with pytest.raises(InputError, match="leaves the picture"):
        arrange(small(nodes={"more": step("more", "more", (3, 1))}))
    with pytest.raises(InputError, match="goes up"):
        arrange(small(arrows=(Arrow("answer", "image"),)))
    with pytest.raises(InputError, match="joins what is not among"):
        small(arrows=(Arrow("answer", "nothing"),))
    with pytest.raises(InputError, match="one key"):
        Diagram("two", "two", (given("image", (0, 0)), given("image", (1, 0))), ())
    with pytest.raises(InputError, match="no diagram 'dog'"):
        find("dog")


def test_ids_of_two_diagrams_on_a_page_differ():
    ids = [re.findall(r'\bid="([^"]+)"', svg(one)) for one in DIAGRAMS.values()]
    flat = [id for of_one in ids for id in of_one]
    assert len(set(flat)) == len(flat)


def test_lines_that_lie_on_each_other_are_seen():
    upright = ((0, 0), (0, 10))
    assert shared_length(upright, ((1, 20), (1, 5))) == 5
    assert shared_length(upright, ((9, 20), (9, 5))) == 0
    assert shared_length(upright, ((0, 10), (8, 10))) <= 0


def test_a_node_is_called_by_its_words():
    assert Node("a", "step", "two\nlines", (0, 0)).words == "two lines"
    assert given("tags", (0, 0)).words == "tags"
