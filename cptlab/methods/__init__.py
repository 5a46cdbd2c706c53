"""The methods, by name. A new one is a new file and a line here."""

from cptlab.methods.base import Method, Setting, Step
from cptlab.methods.coop import CoOp
from cptlab.methods.cpt import CPT
from cptlab.methods.global_etf import GlobalETF
from cptlab.methods.ivlp import IVLP
from cptlab.methods.zero_shot import ZeroShot

METHODS = {cls.name: cls for cls in (ZeroShot, CoOp, IVLP, GlobalETF, CPT)}

__all__ = [
    "CPT",
    "IVLP",
    "METHODS",
    "CoOp",
    "GlobalETF",
    "Method",
    "Setting",
    "Step",
    "ZeroShot",
]
