"""Data sets by name or path (`open_dataset`), and the tasks that protocols make of them."""

from cptlab.data.dataset import ImageDataset, Sample, by_label, labels_of
from cptlab.data.emoji import emoji_dataset
from cptlab.data.long_tail import Subset, class_counts, draw_long_tailed
from cptlab.data.paper import LEARNED
from cptlab.data.tasks import (
    Protocol,
    Task,
    check_name,
    check_targets,
    content_id,
    full_name,
    is_path,
    open_dataset,
    open_task,
    sentence_of,
    was_read_alike,
)

PAPER_DATASETS = tuple(LEARNED)
"""The paper's eleven data sets."""

__all__ = [
    "PAPER_DATASETS",
    "ImageDataset",
    "Protocol",
    "Sample",
    "Subset",
    "Task",
    "by_label",
    "check_name",
    "check_targets",
    "class_counts",
    "content_id",
    "draw_long_tailed",
    "emoji_dataset",
    "full_name",
    "is_path",
    "labels_of",
    "open_dataset",
    "open_task",
    "sentence_of",
    "was_read_alike",
]
