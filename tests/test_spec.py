"""Specifications: what decides a run's numbers, its name, and what is refused."""

import dataclasses
import json

import pytest

from cptlab.data.long_tail import class_counts
from cptlab.methods import (
    CPT,
    METHODS,
    CoCoOp,
    CoOp,
    CoPrompt,
    DeKg,
    GlobalETF,
    PromptSRC,
    ZeroShot,
    make_method,
)
from cptlab.methods.parts.balance import Balance
from cptlab.methods.schedule import Schedule
from cptlab.training.spec import STORED_NAMES, RunSpec, spec_from_dict

SPEC = RunSpec("food", CPT(), 0.06, seed=3)
CHANGES = {
    "dataset": "animals",
    "method": CoOp(),
    "tau": 0.25,
    "seed": 4,
    "schedule": Schedule(epochs=11),
    "backbone": "ViT-B-16-quickgelu",
    "pretrained": "openai",
    "n_max": 8,
    "class_order": "permuted",
    "protocol": "tuning",
    "curve": True,
    "balance": Balance(logits="balanced_softmax"),
    "device": "cuda",
    "precision": "bf16",
    "compile": True,
    "threads": 2,
    "crop": True,
    "template": "a drawing of a {}.",
    "targets": ("animals",),
}
TOGETHER = {"targets": {"protocol": "transfer"}}
"""What else a change takes."""


def changed(name):
    """The specification with one field changed."""
    return dataclasses.replace(SPEC, **{name: CHANGES[name]}, **TOGETHER.get(name, {}))


def changed_value(value):
    """Another value of the same type."""
    choices = {
        "sum": "pair_mean",
        "mask": "literal",
        "zero": "drop_from_M",
        "class_ce": "batch_t2i",
        "unbiased": "plain",
        "normalised": "raw",
        "sum_d": "mean",
        "spherical": "euclidean",
        "maple": "coop",
        "cosine": "mse",
        "both": "text",
        "sgd": "adam",
        "epochs": "steps",
        "a photo of a": None,
    }
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return choices[value]
    if isinstance(value, tuple):
        return ("the {}.",)
    return 2 if value is None else value + 1


OTHERWISE = {
    "context_init": "of a",
    "blocks": (1,),
    "descriptions": "file.json",
    "dropout": 0.5,
    "random_context": True,
    "anchor_templates": ("the {}.",),
    "template": "the {}.",
}
"""Another value of what may be None."""


def test_run_id_is_readable_and_stable():
    assert SPEC.run_id.startswith("food-cpt-tau0.06-seed3-")
    assert len(SPEC.run_id) == len("food-cpt-tau0.06-seed3-") + 10
    assert SPEC.run_id == RunSpec("food", CPT(), 0.06, 3).run_id


def test_run_id_does_not_depend_on_how_numbers_are_written():
    one, other = RunSpec("food", CPT(lambda_rs=1), 1), RunSpec("food", CPT(lambda_rs=1.0), 1.0)
    assert one == other
    assert one.run_id == other.run_id


def test_every_field_of_a_run_is_in_its_id():
    assert CHANGES.keys() == {f.name for f in dataclasses.fields(RunSpec)}
    transfer = dataclasses.replace(SPEC, protocol="transfer")
    ids = {spec.run_id for spec in (SPEC, transfer, *map(changed, CHANGES))}
    assert len(ids) == len(CHANGES) + 2


@pytest.mark.parametrize("options", [Schedule(), *(cls() for cls in METHODS.values())], ids=repr)
def test_every_hyper_parameter_is_in_the_id(options):
    field = "schedule" if isinstance(options, Schedule) else "method"
    default = dataclasses.replace(SPEC, **{field: options})
    ids = {default.run_id}
    names = [f.name for f in dataclasses.fields(options)]
    for name in names:
        value = OTHERWISE[name] if name in OTHERWISE else changed_value(getattr(options, name))
        changed = dataclasses.replace(options, **{name: value})
        ids.add(dataclasses.replace(SPEC, **{field: changed}).run_id)
    assert len(ids) == len(names) + 1


def test_everything_resolved_is_in_the_dictionary():
    values = SPEC.as_dict()
    names = {f.name for f in dataclasses.fields(RunSpec)}
    assert values.keys() == {STORED_NAMES.get(name, name) for name in names}
    assert values["method"].keys() == {"name"} | {f.name for f in dataclasses.fields(CPT)}
    assert values["schedule"].keys() == {f.name for f in dataclasses.fields(Schedule)}
    assert values["method"]["name"] == "cpt"
    # The paper's defaults.
    weights = [values["method"][f"lambda_{name}"] for name in ("tetf", "cc", "rs")]
    assert weights == [0.25, 0.15, 0.10]
    assert (values["schedule"]["epochs"], values["schedule"]["lr"]) == (12, 0.0025)


@pytest.mark.parametrize("name", [None, *CHANGES])
def test_round_trip_through_json(name):
    spec = SPEC if name is None else changed(name)
    rebuilt = spec_from_dict(json.loads(json.dumps(spec.as_dict())))
    assert rebuilt == spec
    assert rebuilt.run_id == spec.run_id


@pytest.mark.parametrize("name", METHODS)
def test_round_trip_of_every_method(name):
    spec = RunSpec("food", make_method(name), schedule=Schedule())
    assert spec_from_dict(spec.as_dict()) == spec


@pytest.mark.parametrize(
    ("method", "added", "digest"),
    [
        (CoOp(), ("context_init",), "a777a2232a"),
        (CoCoOp(), ("context_init",), "7c4be5caed"),
        (DeKg(), ("random_context", "anchor_templates", "template"), "090dfae868"),
        (DeKg(class_aware=False), ("random_context", "anchor_templates", "template"), "2e80e9715e"),
    ],
    ids=repr,
)
def test_runs_from_before_an_option_was_added(method, added, digest):
    spec = RunSpec("food", method, schedule=Schedule())
    assert spec.run_id.endswith(digest)
    values = spec.as_dict()
    for name in added:
        del values["method"][name]
    assert spec_from_dict(values) == spec


def test_unknown_method():
    with pytest.raises(ValueError, match=r"Unknown method 'cptt'; choose .* Did you mean 'cpt'"):
        make_method("cptt")
    with pytest.raises(ValueError, match="The method '' is not here"):
        spec_from_dict({"dataset": "food"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"datset": "food"}, r"RunSpec has no parameter 'datset'\. Did you mean 'dataset'\?"),
        ({"schedule": {"epoch": 3}}, r"Schedule has no parameter 'epoch'\. Did you mean 'epochs'"),
        (
            {"method": {"name": "cpt", "lamda_rs": 1}},
            r"CPT has no parameter 'lamda_rs'\. Did you mean 'lambda_rs'\? It has: .*lambda_tetf",
        ),
        ({"xyz": 1}, r"RunSpec has no parameter 'xyz'\. It has: dataset, method"),
    ],
)
def test_unknown_keys_are_errors_with_a_hint(values, message):
    with pytest.raises(ValueError, match=message):
        spec_from_dict({"dataset": "food", "method": {"name": "cpt"}} | values)


def test_a_parameter_that_is_called_name():
    with pytest.raises(ValueError, match="CPT has no parameter 'name'"):
        make_method("cpt", name="coop")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau": 0}, r"tau must lie in \(0, 1\], got 0"),
        ({"tau": 1.5}, r"tau must lie in \(0, 1\], got 1\.5"),
        ({"tau": "small"}, r"RunSpec\.tau is 'small', but must be float"),
        ({"n_max": 0}, "at least one class and one shot"),
        ({"seed": 1.5}, r"RunSpec\.seed is 1\.5, but must be int"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"protocol": "train"}, r"RunSpec\.protocol is 'train', .* one of base_to_new, few_shot"),
        ({"class_order": "size"}, r"RunSpec\.class_order is 'size', .* one of name, permuted"),
        ({"curve": "yes"}, r"RunSpec\.curve is 'yes', but must be bool"),
        (
            {"method": CPT(clip_loss="batch_t2i"), "balance": Balance(class_weights=True)},
            "no logits over classes that a Balance could act on.*clip_loss='class_ce'",
        ),
        ({"method": ZeroShot(), "balance": Balance()}, "zero_shot learns nothing: a Balance would"),
        (
            {"template": "a photo"},
            "The template is 'a photo': it takes one sentence with one {}",
        ),
        ({"template": "{} and {}"}, r"template is '{} and {}': it takes one sentence"),
        ({"template": "a {}.\nthe {}."}, "it takes one sentence"),
        ({"targets": ("animals",)}, "Targets animals go with the protocol transfer, not with base"),
        ({"protocol": "transfer", "targets": ("food",)}, "food is the source of this transfer"),
        ({"protocol": "transfer", "targets": ("a/b", "a/../a/b")}, "a/b is named twice"),
        ({"protocol": "transfer", "targets": ("animals",) * 2}, "animals is named twice"),
        (
            {"protocol": "transfer", "targets": ("animals", "mine/animals.csv")},
            r"animals and mine/animals\.csv would both be called 'target animals'",
        ),
    ],
    ids=str,
)
def test_values_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SPEC, **change)


@pytest.mark.parametrize(
    ("method", "values", "message"),
    [
        (CPT, {"lambda_rs": "big"}, r"CPT\.lambda_rs is 'big', but must be float"),
        (CPT, {"lambda_rs": True}, r"CPT\.lambda_rs is True, but must be float"),
        (CPT, {"clip_loss": "ce"}, r"CPT\.clip_loss is 'ce', .* class_ce, batch_t2i"),
        (CPT, {"n_clusters": "two"}, r"CPT\.n_clusters is 'two', but must be int \| None"),
        (CPT, {"anchor_templates": "a {}"}, r"CPT\.anchor_templates is 'a \{\}'"),
        (GlobalETF, {"reduction": "mean"}, r"GlobalETF\.reduction is 'mean', .*pair_mean"),
        (CoPrompt, {"consistency": "l1"}, r"CoPrompt\.consistency is 'l1', .* one of cosine, mse"),
        (PromptSRC, {"text_weight": "much"}, r"PromptSRC\.text_weight is 'much', .* be float"),
    ],
    ids=str,
)
def test_values_that_a_method_cannot_have(method, values, message):
    with pytest.raises(ValueError, match=message):
        method(**values)


def test_balanced_sampling_goes_with_any_loss():
    sampling = Balance(sampling="class_balanced")
    spec = dataclasses.replace(SPEC, method=CPT(clip_loss="batch_t2i"), balance=sampling)
    assert spec.balance == sampling


@pytest.mark.parametrize("field", ["epochs", "lr", "batch_size"])
def test_unusable_schedule(field):
    with pytest.raises(ValueError, match=rf"Schedule\.{field} must be positive, got 0"):
        Schedule(**{field: 0})


def test_schedule_values_that_cannot_be():
    with pytest.raises(ValueError, match=r"Schedule\.epochs is '12', but must be int"):
        Schedule(epochs="12")


def test_whole_numbers_are_good_for_fractions():
    assert dataclasses.replace(SPEC, tau=1).tau == 1
    assert sum(class_counts(5, 1)) == 80


def test_an_option_at_its_default_leaves_the_id_alone():
    """What older versions stored stays found after a new option has come in."""
    extended = dataclasses.make_dataclass(
        "RunSpec", [("added", int, 3)], bases=(RunSpec,), frozen=True
    )
    plain, changed = extended("food", CPT(), 0.06, 3), extended("food", CPT(), 0.06, 3, added=4)
    assert plain.run_id == SPEC.run_id != changed.run_id
