"""A complete check of a data folder."""

from wsss_lib.doctor.examination import examine
from wsss_lib.doctor.findings import Examination, Finding

__all__ = ["Examination", "Finding", "examine"]
