"""The explorer: look into finished runs, in JupyterLab or as static images.

`begin` opens a store, the panels show it: widgets in an interactive notebook, Matplotlib figures of
the same elsewhere (papermill, nbval, nbconvert). The panel with the map is in
`cptlab.lab.explore.map_panel`, because importing umap takes seconds.
"""

from cptlab.lab.explore.choice import Finished, finished
from cptlab.lab.explore.confusion_panel import confusion_panel
from cptlab.lab.explore.prediction_panel import prediction_panel
from cptlab.lab.explore.run_panel import run_panel
from cptlab.lab.explore.session import Session, begin

__all__ = [
    "Finished",
    "Session",
    "begin",
    "confusion_panel",
    "finished",
    "prediction_panel",
    "run_panel",
]
