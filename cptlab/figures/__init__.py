"""Figures from tidy frames: data and Axes in, Axes out; nothing here knows torch.

Accuracies are in percent. A row is one seed's run; several data sets are averaged by the caller
before, so that what varies inside a group is the seed alone.
"""

from cptlab.figures.comparison import method_intervals
from cptlab.figures.pictures import drawing_sheet, image_grid
from cptlab.figures.published import published_averages
from cptlab.figures.seeds import seed_violins, training_curves
from cptlab.figures.similarity import similarity_matrix
from cptlab.figures.throughput import runs_per_hour, savings_by_classes

__all__ = [
    "drawing_sheet",
    "image_grid",
    "method_intervals",
    "published_averages",
    "runs_per_hour",
    "savings_by_classes",
    "seed_violins",
    "similarity_matrix",
    "training_curves",
]
