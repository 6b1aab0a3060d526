"""What is quick with a hundred images and must be with a hundred thousand."""

from PIL import Image

from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.doctor import Examination
from wsss_lib.doctor.labels import check_tags


class Counted(tuple):
    """Ids that count how often somebody goes through them."""

    walks = 0

    def __iter__(self):
        self.walks += 1
        return super().__iter__()


def test_the_doctor_does_not_go_through_all_ids_for_every_line(tmp_path):
    (tmp_path / "images").mkdir()
    ids = [f"{n:03d}" for n in range(100)]
    for id in ids[:3]:
        Image.new("RGB", (20, 20)).save(tmp_path / "images" / f"{id}.png")
    lines = "".join(f"{id},1,0\n" for id in ids)
    (tmp_path / "labels.csv").write_text(f"id,cat,dog\n{lines}")
    every, found = SegmentationFolder(tmp_path), Examination()
    every.ids = Counted(every.ids)
    check_tags(found, every)
    assert any("97 lines of labels.csv" in finding.what for finding in found.findings)
    assert every.ids.walks < 20
