"""The explorer: finished runs looked at by hand, in JupyterLab or as static pictures.

`begin` opens a store, the panels show it: widgets where somebody can use them, Matplotlib figures
of the same elsewhere (papermill, nbval, nbconvert). The panel with the map is in
`cptlab.explore.map_panel`, because importing umap takes seconds.
"""

from cptlab.explore.choice import Finished, finished
from cptlab.explore.prediction_panel import prediction_panel
from cptlab.explore.run_panel import run_panel
from cptlab.explore.session import Session, begin

__all__ = ["Finished", "Session", "begin", "finished", "prediction_panel", "run_panel"]
