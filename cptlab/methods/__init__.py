"""The methods, by name. A new one is a new file and a line here."""

from cptlab.methods.base import BatchOutputs, Context, Method
from cptlab.methods.cocoop import CoCoOp
from cptlab.methods.coop import CoOp
from cptlab.methods.coprompt import CoPrompt
from cptlab.methods.cpt import CPT
from cptlab.methods.dekg import DeKg
from cptlab.methods.dpc import DPC
from cptlab.methods.global_etf import GlobalETF
from cptlab.methods.ivlp import IVLP
from cptlab.methods.maple import MaPLe
from cptlab.methods.npt import NPTStyle
from cptlab.methods.promptsrc import PromptSRC
from cptlab.methods.zero_shot import ZeroShot

METHODS = {
    method.name: method
    for method in (
        ZeroShot,
        CoOp,
        CoCoOp,
        IVLP,
        MaPLe,
        PromptSRC,
        CoPrompt,
        NPTStyle,
        DeKg,
        DPC,
        GlobalETF,
        CPT,
    )
}

__all__ = [
    "CPT",
    "DPC",
    "IVLP",
    "METHODS",
    "BatchOutputs",
    "CoCoOp",
    "CoOp",
    "CoPrompt",
    "Context",
    "DeKg",
    "GlobalETF",
    "MaPLe",
    "Method",
    "NPTStyle",
    "PromptSRC",
    "ZeroShot",
]
