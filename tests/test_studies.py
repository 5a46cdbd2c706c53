"""The grids: every claim finds its runs, tables and curves share theirs, labels mean one method."""

import dataclasses

import pytest
import torch
from wide import WIDE

from cptlab.clip import untrained
from cptlab.data.paper import ROWS
from cptlab.lab.study.claims import needs
from cptlab.lab.study.claims.variants import (
    ALGORITHMS,
    BY_LOSSES,
    SIZES,
    label,
    weighted,
)
from cptlab.lab.study.claims.variants import CPT as DEFAULT
from cptlab.lab.study.design import Design
from cptlab.lab.study.lineup import BOTH, methods
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profiles import DEMO, FULL, PAPER, SMOKE, profile_named
from cptlab.lab.study.studies import (
    ablation,
    base_to_new,
    claims,
    few_shot,
    geometry,
    stability,
    transfer,
)
from cptlab.lab.study.varied import Varied
from cptlab.lab.workspace import workspace
from cptlab.methods import CPT, IVLP, PromptSRC

SEEDED = {"cpt": {"cluster_seed": 0}}
"""What differs between the seeds of a label: each has a random partition of its own."""


def test_a_wide_profile_has_every_run_that_the_claims_need():
    study = claims(WIDE)
    seeds: dict[tuple, set] = {}
    for spec, name in study.items():
        key = (spec.protocol, spec.tau, name, spec.dataset)
        seeds.setdefault(key, set()).add(spec.seed)
    for need in needs().itertuples():
        design = WIDE.transfer if need.protocol == "transfer" else WIDE.details
        for dataset in design.datasets:
            found = seeds[need.protocol, need.tau, need.method, dataset]
            assert found >= set(design.seeds) or need.method == "Zero-shot"


@pytest.mark.parametrize(
    "profile", [SMOKE, DEMO, WIDE, FULL, PAPER], ids=lambda profile: profile.name
)
def test_a_label_means_one_method_in_all_studies(profile):
    methods_of: dict[tuple[str, str], set] = {}
    for study in STUDIES.values():
        for spec, name in study(profile).items():
            if spec.dataset not in spec.method.published_for:  # other values were published for it
                found = methods_of.setdefault((spec.protocol, name), set())
                method = dataclasses.replace(spec.method, **SEEDED.get(spec.method.name, {}))
                found.add((method, spec.balance, spec.schedule, spec.pretrained))
    assert all(len(found) == 1 for found in methods_of.values())
    pairs = {(protocol, *found) for (protocol, _), found in methods_of.items()}
    assert len(pairs) == len(methods_of)


def test_every_run_of_the_profile_paper_can_learn_its_classes():
    """No run should find out after hours that its data set has too few."""
    with torch.device("meta"):
        backbone = untrained(PAPER.backbone, "meta")
    seen = set()
    for study in STUDIES.values():
        for spec in study(PAPER):
            n_classes = ROWS[spec.dataset].n_classes
            n_classes = -(-n_classes // 2) if spec.protocol == "base_to_new" else n_classes
            spec.method.check(backbone, n_classes)
            seen.add((spec.dataset, spec.protocol, spec.method.name, spec.method.hard_negatives))
    assert ("eurosat", "base_to_new", "dpc", 2) in seen
    assert ("dtd", "base_to_new", "dpc", 8) in seen


def test_the_profile_paper_has_the_papers_settings():
    def settings(study, name):
        (found,) = {(s.method, s.schedule) for s, label in study(PAPER).items() if label == name}
        return found

    for study, epochs, depth in ((base_to_new, 12, 9), (few_shot, 25, 9), (transfer, 8, 3)):
        method, schedule = settings(study, "CPT (sum)")
        assert (schedule.epochs, schedule.lr, schedule.batch_size) == (epochs, 0.0025, 4)
        assert (method.text_depth, method.vision_depth) == (depth, depth)
        assert (method.text_tokens, method.vision_tokens) == (4, 4)
    method, schedule = settings(transfer, "MaPLe")
    assert (method.depth, schedule.epochs, schedule.lr) == (3, 2, 0.0026)
    assert settings(few_shot, "PromptSRC")[1].epochs == 50
    for study in (base_to_new, few_shot):
        runs = [spec for spec, name in study(PAPER).items() if name == "CoOp"]
        epochs = {spec.dataset: spec.schedule.epochs for spec in runs}
        assert epochs["imagenet"] == 50 and epochs["dtd"] == 200
    assert settings(transfer, "CoOp")[1].epochs == 50
    assert all(spec.crop and spec.device == "cuda" for spec in base_to_new(PAPER))


def test_other_profiles_learn_alike_in_all_protocols():
    there = {label: (s.method, s.schedule) for s, label in transfer(WIDE).items()}
    here = {label: (s.method, s.schedule) for s, label in base_to_new(WIDE).items()}
    # depths and schedules are the profile's; PromptSRC averages its prompts otherwise
    new_names = {"Candle (knows new names)"}
    differ = {label for label in there if there[label] != here[label]}
    assert there.keys() == here.keys() - new_names and differ == {"PromptSRC"}
    assert there["PromptSRC"][1] == here["PromptSRC"][1]


@pytest.mark.parametrize("protocol", ["few_shot", "transfer"])
def test_no_row_comes_twice_where_there_are_no_new_names(protocol):
    both = {"Candle (knows new names)", "Candle"}
    assert both <= methods(PAPER).keys()
    shown = methods(PAPER, protocol=protocol)
    assert both & shown.keys() == {"Candle"} and not shown["Candle"].knows_new_names
    alone = dataclasses.replace(DEMO, methods=("candle",))
    assert list(methods(alone, protocol=protocol)) == ["Zero-shot", "Candle (knows new names)"]


def test_seeds_of_a_design_and_of_its_pieces():
    design = Design(("food",), (1.0, 0.25, 0.06), (1, 2, 3))
    larger = design.at(0.25, 1.0, 0.5)  # what it does not have is left out, its order stays
    assert (larger.taus, larger.seeds) == ((1.0, 0.25), (1, 2, 3))
    assert design.at().taus == () and design.on("a", "b").datasets == ("a", "b")
    assert design.first_seeds(2).seeds == (1, 2)

    def seeds_of_zero_shot(profile):
        runs = profile.comparison.datasets[0], base_to_new(profile).items()
        return [s.seed for s, name in runs[1] if (s.dataset, name) == (runs[0], "Zero-shot")]

    assert seeds_of_zero_shot(WIDE) == [1, 1, 1]  # once per imbalance ratio
    assert seeds_of_zero_shot(DEMO) == [1, 2, 3, 4, 5]  # each has a tail of its own


@pytest.mark.parametrize("profile", [DEMO, WIDE], ids=lambda profile: profile.name)
def test_curves_are_shared_with_the_tables(profile):
    table, curves = base_to_new(profile), geometry(profile)
    assert all(spec.curve for spec in curves)
    assert {spec for spec in table if spec.curve} == {
        spec for spec, name in curves.items() if "w/o" not in name
    }
    assert {spec.tau for spec in curves} == set(profile.curve_taus)
    assert stability(profile).keys() <= curves.keys()
    assert {(spec.dataset, spec.tau) for spec in stability(profile)} == {("activities", 0.06)}


def test_sweeps_hold_the_default_and_switch_off_at_zero():
    assert Varied().sweeps()["TETF"].keys() == {0.0, 0.125, 0.25, 0.5}
    for loss, sweep in Varied().sweeps().items():
        field = f"lambda_{loss.lower()}"
        for value, variant in sweep.items():
            (method,) = methods(SMOKE, [variant], BOTH[1:]).values()
            assert getattr(method, field) == pytest.approx(value)
            others = {"lambda_tetf", "lambda_cc", "lambda_rs"} - {field}
            assert all(getattr(method, name) == getattr(CPT(), name) for name in others)
    for (tetf, rs), variant in Varied().heat_map().items():
        (method,) = methods(SMOKE, [variant], BOTH[1:]).values()
        assert (method.lambda_tetf, method.lambda_cc) == (pytest.approx(tetf), 0.15)
        assert method.lambda_rs == pytest.approx(rs)


def test_combinations_of_losses():
    assert len(BY_LOSSES) == 8
    for on, variant in BY_LOSSES.items():
        for method in methods(WIDE, [variant]).values():
            if any(on):
                weights = (method.lambda_tetf, method.lambda_cc, method.lambda_rs)
                assert tuple(weight > 0 for weight in weights) == on
            else:
                assert method == IVLP(text_depth=3, vision_depth=4)
    names = set(ablation(SMOKE).values())
    assert {"IVLP", "CPT w/o TETF and RS", "CPT (pair mean) w/o CC and RS"} <= names


def test_weights_algorithms_and_sizes_are_named_by_what_differs():
    reading = BOTH[1]
    assert label(weighted({"TETF": 1.0}), reading) == label(DEFAULT, reading) == "CPT (pair mean)"
    both = weighted({"TETF": 0.5, "RS": 2.0})
    assert label(both, reading) == "CPT (pair mean), lambda_tetf = 0.125, lambda_rs = 0.2"
    assert list(ALGORITHMS) == ["spherical", "euclidean", "spectral", "kmedoids"]
    assert list(SIZES) == [4, 8, 16, 32, 64]
    for size, variant in SIZES.items():
        (method,) = methods(SMOKE, [variant], BOTH[1:]).values()
        assert method.cluster_size == size


@pytest.mark.parametrize("profile", [DEMO, WIDE], ids=lambda profile: profile.name)
def test_the_ledger_takes_no_single_run_for_a_study(profile):
    seeds: dict[tuple, set] = {}
    least = min(len(profile.transfer.seeds), 3)
    for spec, name in claims(profile).items():
        if name != "Zero-shot":
            key = (spec.protocol, spec.dataset, spec.tau, name)
            seeds.setdefault(key, set()).add(spec.seed)
    assert all(len(found) >= least for found in seeds.values())


def test_a_profile_is_changed_where_it_is_named():
    changed = profile_named("paper,device=cpu,compile=True,threads=2,pretrained=/tmp/weights")
    assert (changed.device, changed.compile, changed.threads) == ("cpu", True, 2)
    spec = next(iter(base_to_new(changed)))
    assert (spec.device, spec.compile, spec.threads) == ("cpu", True, 2)
    assert spec.pretrained == "/tmp/weights"
    assert profile_named("paper") is PAPER
    folder = workspace(changed.name).notebooks
    assert folder.parent == workspace("paper").notebooks.parent
    assert folder != workspace("paper").notebooks


@pytest.mark.parametrize("tau", [1.0, 0.25, 0.06])
def test_a_profile_at_one_ratio_has_the_runs_of_the_whole_at_it(tau):
    alone = profile_named(f"paper,tau={tau:g}")
    for study in (base_to_new, transfer, few_shot):
        whole = [s for s in study(PAPER) if s.tau == tau or s.protocol == "few_shot"]
        assert list(study(alone)) == whole


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("huge", "Unknown profile 'huge'; choose one of smoke"),
        ("full,cpu", "profile full takes name=value, got 'cpu'"),
        ("full,seeds=3", "cannot change seeds; it can change tau, also, backbone"),
        ("demo,tau=0.25", r"Profile demo cannot be had at tau=0\.25 alone; choose one of 0\.06\."),
        ("paper,tau=all", "at tau=all alone; choose one of 1, 0.25, 0.06"),
        ("full,device=tpu", "device is 'tpu', but must be one of cpu, cuda"),
        ("full,threads=x", "threads is 'x', but must be int"),
    ],
)
def test_wrong_changes_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        profile_named(text)


def test_what_was_published_for_a_protocol_holds_at_any_scale():
    for profile in (FULL, PAPER):
        assert profile.make(PromptSRC).average_centre == 0.75
        assert profile.make(PromptSRC, "transfer").average_centre == 0.3
        assert profile.make(PromptSRC, "few_shot").average_width == 0.6
    assert FULL.make(PromptSRC, "transfer").vision_depth == 4  # EmojiCLIP's own depth
    assert PAPER.make(PromptSRC, "transfer").vision_depth == 3
