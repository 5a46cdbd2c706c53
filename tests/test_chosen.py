"""The methods that a user names, by their labels; options left out are those of the profile."""

import re

import pytest
from wide import WIDE

from cptlab import CPT, RunSpec
from cptlab.lab.study.lineup import chosen, methods
from cptlab.lab.study.profiles import DEMO, PAPER
from cptlab.methods import METHODS, make_method
from cptlab.training.spec import Schedule

CoOp, DeKg, IVLP = METHODS["coop"], METHODS["dekg"], METHODS["ivlp"]


def test_names_labels_classes_and_methods_are_chosen_as_tables_have_them():
    found = chosen(DEMO, ["zero_shot", CoOp, "CPT (pair mean)", CPT(), "dpc", IVLP(text_tokens=2)])
    usual = methods(WIDE)
    assert list(found) == [
        "Zero-shot",
        "CoOp",
        "CPT (pair mean)",
        "CPT (sum)",
        "DPC (MaPLe)",
        "IVLP, text_tokens = 2",
    ]
    for label in list(found)[:5]:
        assert found[label] == usual[label]


def test_depths_left_out_are_the_profiles_and_others_stay():
    [built] = chosen(DEMO, [CPT(text_depth=2)]).values()
    assert (built.text_depth, built.vision_depth) == (2, 4)
    assert chosen(PAPER, [CPT()]) == {"CPT (sum)": CPT()}
    [built] = chosen(DEMO, ["cpt"], options={"cpt": {"text_depth": 9}}).values()
    assert built.text_depth == 9  # said in so many words


def test_options_go_to_every_method_of_that_name_and_into_its_label():
    wanted = ["CPT (sum)", "CPT (pair mean)", "coop"]
    found = chosen(DEMO, wanted, options={"cpt": {"lambda_rs": 0.5}})
    assert list(found) == ["CPT (sum), lambda_rs = 0.5", "CPT (pair mean), lambda_rs = 0.5", "CoOp"]


@pytest.mark.parametrize(
    ("wanted", "options", "words"),
    [
        (["cop"], {}, "Unknown method 'cop'; choose one of zero_shot, .*Did you mean 'coop'"),
        (["CPT (pair men)"], {}, r"Did you mean 'CPT \(pair mean\)'"),
        (["coop", CoOp], {}, "CoOp is named twice"),
        (["coop"], {"cpt": {"lambda_rs": 1.0}}, "'cpt', which is not among the methods: coop"),
        (["cpt"], {"cpt": {"lamda_rs": 1.0}}, "no parameter 'lamda_rs'. Did you mean 'lambda_rs'"),
        (["cpt"], {"cpt": {"lambda_rs": "x"}}, "CPT.lambda_rs is 'x'"),
    ],
)
def test_what_cannot_be_chosen_is_named(wanted, options, words):
    with pytest.raises(ValueError, match=words):
        list(map(RunSpec, "f", chosen(DEMO, wanted, options=options).values()))


def test_a_specification_without_a_schedule_has_that_of_its_method():
    assert RunSpec("food", CoOp()).schedule == CoOp().schedule() != Schedule()
    assert RunSpec("food", make_method("cpt")).schedule == Schedule()
    given = RunSpec("food", DeKg(), schedule=Schedule(3))
    assert given.schedule == Schedule(3)
    assert re.match("food-dekg-tau1-seed1-", given.run_id)
