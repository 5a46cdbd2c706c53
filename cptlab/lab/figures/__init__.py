"""Figures from tidy frames: data and Axes in, Axes out; nothing here imports torch.

Accuracies are in percent. Means come as tables of `cptlab.lab.study.summary.summarise`, with the
study's interval, and `bars` draws it; figures that show single runs take a row for each. Exceptions
are documented: `class_map` takes a row per class.
"""

from cptlab.lab.figures.ablation import ablation_bars, ablation_panels
from cptlab.lab.figures.backbones import backbone_panels
from cptlab.lab.figures.class_gains import class_gains
from cptlab.lab.figures.classics import classics_grid
from cptlab.lab.figures.clusters import (
    algorithm_intervals,
    algorithm_panels,
    cluster_sizes,
    equal_spans,
    silhouette_curve,
    size_panels,
)
from cptlab.lab.figures.collapse import collapse_curves, collapse_panels
from cptlab.lab.figures.comparison import method_grid, method_intervals
from cptlab.lab.figures.confirmatory import confirmatory_panels
from cptlab.lab.figures.cost import gain_by_cost
from cptlab.lab.figures.dose import dose_panels
from cptlab.lab.figures.forest import forest_panels
from cptlab.lab.figures.images import drawing_sheet, image_grid
from cptlab.lab.figures.ledger import verdict_matrix
from cptlab.lab.figures.ledger_table import ledger_table
from cptlab.lab.figures.map import class_map, map_panels
from cptlab.lab.figures.published import published_averages
from cptlab.lab.figures.ranks import rank_panels, rank_plot
from cptlab.lab.figures.seeds import curve_panels, seed_panels, seed_strips, training_curves
from cptlab.lab.figures.sensitivity import (
    change_curves,
    change_panels,
    weight_heatmap,
    weight_heatmaps,
)
from cptlab.lab.figures.similarity import similarity_matrix, similarity_panels
from cptlab.lab.figures.tail import few_shot_panels, tail_panels
from cptlab.lab.figures.throughput import runs_per_hour, savings_by_classes

__all__ = [
    "ablation_bars",
    "ablation_panels",
    "algorithm_intervals",
    "algorithm_panels",
    "backbone_panels",
    "change_curves",
    "change_panels",
    "class_gains",
    "class_map",
    "classics_grid",
    "cluster_sizes",
    "collapse_curves",
    "collapse_panels",
    "confirmatory_panels",
    "curve_panels",
    "dose_panels",
    "drawing_sheet",
    "equal_spans",
    "few_shot_panels",
    "forest_panels",
    "gain_by_cost",
    "image_grid",
    "ledger_table",
    "map_panels",
    "method_grid",
    "method_intervals",
    "published_averages",
    "rank_panels",
    "rank_plot",
    "runs_per_hour",
    "savings_by_classes",
    "seed_panels",
    "seed_strips",
    "silhouette_curve",
    "similarity_matrix",
    "similarity_panels",
    "size_panels",
    "tail_panels",
    "training_curves",
    "verdict_matrix",
    "weight_heatmap",
    "weight_heatmaps",
]
