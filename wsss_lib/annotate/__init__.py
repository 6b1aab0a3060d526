"""Labels drawn by hand, in a notebook: tags, points, boxes, extreme clicks, scribbles, outlines.

``Annotator`` shows the pictures of a data folder one after another and writes what is drawn into
the files that ``wsss_lib.data`` reads, after each mark. ``Tagger`` is the one for image labels.
``explore`` looks at scores under a threshold. anywidget carries them into JupyterLab, VS
Code and Colab.
"""

from wsss_lib.annotate.annotator import Annotator, Tagger
from wsss_lib.annotate.explore import explore
from wsss_lib.annotate.files import KINDS, Mark

__all__ = ["KINDS", "Annotator", "Mark", "Tagger", "explore"]
