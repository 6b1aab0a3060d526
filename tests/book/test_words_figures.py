"""The picture of words as classifiers of patches."""

from stored_figures import gallery, shown_classes
from words_figures import words_figure


def test_words_are_asked_about_the_classes_of_the_fullest_picture():
    figure = words_figure()
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    most = max(len(shown_classes(id)) for id in gallery("clip_es").common)
    assert len(titles) == most > 1
    assert all(", image " in title for title in titles)
