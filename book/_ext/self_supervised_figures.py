"""Pictures of the chapter on lessons without labels: two views of an image."""

from stored_figures import extra_panels, gain_columns, maps_figure

from wsss_lib.show import Picture


def two_views() -> Picture:
    """The maps of an image and of its half-size copy, from CAM and from SEAM."""
    columns = gain_columns("seam")
    views = {
        f"{name}, {title}": extra_panels(id, title, columns)
        for id, name in (("cam", "CAM"), ("seam", "SEAM"))
        for title in ("whole size", "half size")
    }
    return maps_figure((), columns, extra=views)
