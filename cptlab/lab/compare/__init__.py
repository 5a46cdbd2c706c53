"""Questions of one's own: methods compared on some data sets, or one of them trained once."""

from cptlab.lab.compare.comparison import Comparison
from cptlab.lab.compare.question import Question
from cptlab.lab.compare.train import compare, fit

__all__ = ["Comparison", "Question", "compare", "fit"]
