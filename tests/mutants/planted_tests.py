"""Tests of the planted method that leave gaps; ``test_mutants.py`` runs them, pytest does not."""

import pytest
import torch

from tests.mutants.planted import Planted


@pytest.fixture(scope="module")
def answer():
    """Made anew for each mutant, and once for the two tests that share it."""
    return Planted.predict(torch.tensor([0.1, 0.4, 0.9]))


def test_first_term():
    image, other = torch.ones(2, requires_grad=True), torch.full((2,), 0.5, requires_grad=True)
    loss = Planted().loss(image, other)["tested"]
    assert loss == 0.25
    loss.backward()
    assert other.grad is None


def test_there_are_two_answers(answer):
    assert len(answer) == 2


def test_border(answer):
    assert answer[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("kind", [Planted, int])
def test_of_kinds(kind):
    assert kind is Planted, "what belongs to other kinds is not run"
