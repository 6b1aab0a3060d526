"""A method with one change of each kind that its tests notice, and one that they miss."""

import torch


class Planted:
    """Its first term and one of its borders are tested; the rest runs and nobody looks."""

    def loss(self, image, other):
        teacher = other.detach()  # noticed
        student = image.detach()  # missed
        terms = {"tested": ((image - teacher) ** 2).mean()}  # noticed, noticed
        terms["untested"] = student.mean()  # missed
        return terms

    @staticmethod
    def predict(image):
        bright = (image > 0.5).float()  # noticed
        dark = (image < 0.25).float()  # missed
        shown = -(bright.neg()) if image.shape[-1] else image  # noticed
        return shown, dark + torch.ones(1)  # missed

    @classmethod
    def toy(cls):
        """Sizes are no part of the method."""
        return 1 - 1 > 2

    def never_run(self, count):
        return count + 1  # missed
