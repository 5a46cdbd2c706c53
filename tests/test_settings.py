"""Parameters of notebooks and options of the command: one way to change a profile."""

import pytest
from click.testing import CliRunner

from cptlab.lab.cli import batch
from cptlab.lab.cli.main import commands
from cptlab.lab.cli.options import PARAMETERS as OPTIONS
from cptlab.lab.study.notebooks import STUDIES
from cptlab.lab.study.profiles import FULL, SMOKE, profile_named
from cptlab.lab.study.settings import PARAMETERS, parameters, profile_with
from cptlab.lab.study.studies import sensitivity
from cptlab.lab.workspace import CHECKOUT, workspace

EXAMPLE = f"{CHECKOUT / 'docs/tail_coop.py'}:TailCoOp"


@pytest.mark.parametrize("empty", [None, "", [], ()], ids=repr)
@pytest.mark.parametrize("name", ["smoke", "full", "full,tau=0.06"])
def test_what_is_empty_changes_nothing(name, empty):
    changed = profile_with(name, **dict.fromkeys(PARAMETERS, empty))
    assert changed == profile_named(name)


@pytest.mark.parametrize(
    ("forms", "read"),
    [
        ({"datasets": ["food,travel", ["food", "travel"]]}, ["food", "travel"]),
        ({"methods": ["coop, CPT (sum)", ("coop", "CPT (sum)")]}, ["coop", "CPT (sum)"]),
        ({"taus": ["0.06,1", [1, 0.06], "1, .06"]}, [1.0, 0.06]),
        ({"taus": [0.25, "0.25", [0.25]]}, [0.25]),
        ({"seeds": ["1-3", "1,2,3", [1, 2, 3], range(1, 4)]}, [1, 2, 3]),
        ({"seeds": [2, "2", ["2"]]}, [2]),
        ({"backbone": ["ViT-B-16,openai", ["ViT-B-16", "openai"]]}, ["ViT-B-16", "openai"]),
        ({"shots": ["4,1", [1, 4]]}, [1, 4]),
        ({"sizes": [8, "8", [8]]}, [8]),
        (
            {"algorithms": ["spectral,spherical", ["spectral", "spherical"]]},
            ["spectral", "spherical"],
        ),
        (
            {"losses": ["all,TETF + cc", ["TETF+CC+RS", "CC+TETF"]]},
            ["none", "TETF+CC+RS", "TETF+CC"],
        ),
        (
            {"balances": ["balanced softmax", ["as it is", "balanced softmax"]]},
            ["as it is", "balanced softmax"],
        ),
        (
            {
                "weights": [
                    "TETF=0,1; rs=.5",
                    {"tetf": [0, 1], "RS": 0.5},
                    {"RS": "0.5", "TETF": "1,0"},
                ]
            },
            {"TETF": [0.0, 0.25, 1.0], "RS": [0.1, 0.5]},
        ),
        (
            {"weights": ["0", 0, [0.0]]},
            {"TETF": [0.0, 0.25], "CC": [0.0, 0.15], "RS": [0.0, 0.1]},
        ),
    ],
    ids=str,
)
def test_parameters_are_read_in_every_form(forms, read):
    ((name, values),) = forms.items()
    for value in values:
        assert parameters(**{name: value}) == {name: read}
    assert parameters(**{name: read}) == {name: read}  # as a notebook gets it


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"datasets": "food,travl"},
            "No data set 'travl': there is .* act.*'travel'",
        ),
        ({"datasets": "food,food"}, "datasets holds food twice"),
        (
            {"datasets": "a/birds,b/birds"},
            "Two data sets are called 'birds', .*a/birds and .*b/birds",
        ),
        ({"weights": "TETF=0;TETF=1"}, "weights holds TETF twice"),
        ({"methods": "coop,cpt2"}, "Unknown method 'cpt2'; choose one of zero_shot.*'cpt'"),
        ({"methods": "coop,CoOp"}, "CoOp is named twice"),
        ({"taus": "0.06,2"}, "taus holds 2: an imbalance ratio lies above 0"),
        ({"taus": "small"}, "taus takes numbers with a decimal point"),
        ({"seeds": "3-1"}, "seeds 3-1 run backwards: write 1-3"),
        ({"seeds": "one"}, "seeds takes whole numbers such as 1,2,5 or 1-3"),
        ({"backbone": "a,b,c"}, "backbone is a name, or a name and weights"),
        ({"weights": "LMC=1"}, "weights holds 'LMC'.*there is TETF, CC, RS"),
        ({"weights": -1}, "weights holds -1: a weight is 0"),
        ({"weights": "TETF=x"}, "weights of TETF takes numbers"),
        ({"losses": "TETF+NC"}, "losses holds 'NC'.*there is TETF, CC, RS, none, all"),
        ({"algorithms": "spherical,dbscan"}, "algorithms holds 'dbscan'.*euclidean"),
        ({"sizes": "0,4"}, "sizes holds 0: give whole numbers"),
        ({"shots": 1.5}, "shots holds 1.5: give whole numbers"),
        ({"balances": "focal loss"}, "balances holds 'focal loss'.*balanced softmax"),
        ({"dataset": "food"}, "no parameter 'dataset'.*Did you mean 'datasets'"),
    ],
    ids=str,
)
def test_what_is_unknown_or_out_of_range_is_told_with_the_choices(given, message):
    with pytest.raises(ValueError, match=message):
        profile_with("smoke", **given)


def test_every_design_follows():
    changed = profile_with("full", datasets="food,travel", taus="0.1,0.5", seeds="4,7")
    for design in (changed.comparison, changed.details, changed.transfer):
        assert (design.datasets, design.taus) == (("food", "travel"), (0.5, 0.1))
        assert design.seeds == (4, 7)
    assert changed.few_shot.taus == (1.0,)  # no long tail there
    assert (changed.similarity_dataset, changed.curve_taus) == ("food", (0.1,))
    assert changed.name == "full,datasets=food+travel,taus=0.5+0.1,seeds=4+7"
    folders = workspace(changed.name)
    assert folders.runs == workspace("full").runs and folders.figures != workspace("full").figures


# matrices show travel instead, sizes are at the largest tau
@pytest.mark.parametrize("name", [n for n in STUDIES if n[:2] not in ("01", "05", "12")])
def test_part_of_a_study_shares_its_runs(name):
    """Runs with the profile's own values are those of the profile, so that none is done twice."""
    changed = profile_with("full", datasets="activities", taus="0.06", seeds="11,12")
    assert STUDIES[name](changed).keys() <= STUDIES[name](FULL).keys()


def test_the_chosen_methods_take_part_with_zero_shot():
    changed = profile_with("smoke", methods=["cpt", "CPT (pair mean)", "coop", EXAMPLE])
    for name in ("01_similarity_matrices", "06_base_to_new", "07_cross_dataset", "13_few_shot"):
        labels = list(dict.fromkeys(STUDIES[name](changed).values()))
        assert labels == ["Zero-shot", "CPT (sum)", "CPT (pair mean)", "CoOp", "TailCoOp"]
    assert [reading.name for reading in changed.readings] == ["sum", "pair mean"]
    only = profile_with("full", methods="CPT (pair mean),ivlp")
    assert [reading.name for reading in only.readings] == ["pair mean"]
    assert profile_with("full", methods="coop").readings == FULL.readings


def test_weights_are_swept_around_the_default_with_the_chosen_methods_beside():
    changed = profile_with("smoke", weights="TETF=0,1;RS=0.5", methods="coop,cpt")
    labels = set(sensitivity(changed).values())
    assert {
        "Zero-shot",
        "CoOp",
        "CPT (sum)",
        "CPT (sum), lambda_tetf = 1",
        "CPT w/o TETF",
    } <= labels
    assert "CPT w/o TETF, lambda_rs = 0.5" in labels  # of the two together
    assert not [name for name in labels if "lambda_cc" in name]
    alone = profile_with("smoke", weights={"CC": [0, 1]})
    assert set(sensitivity(alone).values()) == {
        "CPT (pair mean)",
        "CPT (pair mean) w/o CC",
        "CPT (pair mean), lambda_cc = 1",
    }


def test_own_data_sets_are_one_anothers_targets(tmp_path):
    paths = [str(tmp_path / name) for name in ("birds", "cars")]
    changed = profile_with("smoke", datasets=[*paths, "food"])
    targets = {spec.dataset: spec.targets for spec in STUDIES["07_cross_dataset"](changed)}
    assert targets == {
        paths[0]: (paths[1], "food"),
        paths[1]: (paths[0], "food"),
        "food": tuple(paths),
    }
    assert STUDIES["07_cross_dataset"](profile_with("smoke", datasets=paths[0])) == {}
    assert changed.curve_dataset == paths[0]
    assert profile_with("full", datasets="food").curve_dataset == FULL.curve_dataset


def test_paths_are_made_absolute_as_a_notebook_runs_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = parameters(datasets="./birds", methods="mine.py:Mine")
    assert given == {"datasets": [f"{tmp_path}/birds"], "methods": [f"{tmp_path}/mine.py:Mine"]}


def test_folders_of_changed_studies_have_short_names(tmp_path):
    names = [str(tmp_path / f"{'long' * 9}{number}") for number in range(9)]
    changed = [profile_with("full", datasets=names[:n]).name for n in (8, 9)]
    folders = {workspace(name).figures.name for name in changed}
    assert len(folders) == 2 and all(len(name) < 120 for name in folders)
    assert all(name.startswith("full,datasets=long") for name in folders)


def test_the_command_has_the_options_that_notebooks_have():
    assert list(OPTIONS) == list(PARAMETERS)


@pytest.mark.parametrize(
    ("notebook", "given"),
    [
        ("03", {"datasets": "food", "weights": "0,1", "methods": "coop,cpt", "seeds": "1-2"}),
        ("05", {"taus": "0.1", "algorithms": "spectral", "sizes": "4,8"}),
        ("14", {"datasets": "food,travel", "balances": "balanced softmax"}),
    ],
)
def test_the_command_plans_what_the_notebook_runs(notebook, given, tmp_path):
    options = [word for name, value in given.items() for word in (f"--{name}", value)]
    arguments = [
        "figures",
        notebook,
        "--profile",
        "smoke",
        "--dry-run",
        "--list",
        "--out",
        f"{tmp_path}",
    ]
    told = CliRunner().invoke(commands, [*arguments, *options], catch_exceptions=False)
    assert told.exit_code == 0
    (name,) = [name for name in STUDIES if name.startswith(notebook)]
    wanted = [spec.run_id for spec in STUDIES[name](profile_with("smoke", **given))]
    planned = [line.split()[1] for line in told.output.splitlines() if line.startswith("missing")]
    assert planned == wanted


def test_a_parameter_goes_to_the_notebooks_that_have_it():
    def told(*arguments):
        words = ["figures", *arguments, "--profile", "smoke", "--dry-run"]
        return CliRunner().invoke(commands, words)

    error = told("03", "04", "--weights", "0,1").exception
    assert str(error) == "Notebook 04_ablation has no parameter weights; 03_sensitivity has it."
    alone = told("--weights", "0,1").output  # all that vary weights
    assert "then 1 notebook of" in alone and " 12 runs" in alone  # with CPT (sum) beside them
    assert "15 notebooks" in told("--seeds", "1").output


def test_a_study_that_was_not_changed_keeps_its_name():
    assert profile_with("smoke") == SMOKE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"losses": "TETF,CC"}, {"losses": "TETF+CC"}),
        ({"weights": {"RS": 0.1234567}}, {"weights": {"RS": 0.1234568}}),
        ({"methods": "cpt, lambda_rs = 0.2"}, {"methods": "cpt"}),
    ],
)
def test_studies_of_other_parameters_have_other_names(one, other):
    names = {profile_with("smoke", **given).name for given in (one, other)}
    assert len(names) == 2
    assert all(name.count(",") == 1 for name in names)


def test_methods_bring_hyper_parameters_as_in_labels():
    changed = profile_with("smoke", methods="CPT (pair mean), lambda_rs = 0.2, coop")
    methods = {spec.method for spec in STUDIES["06_base_to_new"](changed)}
    assert {m.lambda_rs for m in methods if m.name == "cpt"} == {0.2}


def test_a_notebook_without_runs_is_refused_or_left_out(tmp_path):
    alone = profile_with("smoke", datasets=str(tmp_path))
    with pytest.raises(ValueError, match="07_cross_dataset has nothing to show"):
        batch.with_runs(alone, ["07_cross_dataset"], ["07"])
    left = batch.with_runs(alone, list(STUDIES), [])
    assert set(STUDIES) - set(left) == {"07_cross_dataset", "08_domain_generalization"}


def test_a_path_with_a_comma_is_one_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ants, bees").mkdir()
    (tmp_path / "birds").mkdir()
    there = str(tmp_path / "ants, bees")
    for given in (there, "./ants, bees", "ants, bees"):
        assert parameters(datasets=given)["datasets"] == [there]
    listed = parameters(datasets=[there, "./birds"])["datasets"]
    assert listed == [there, str(tmp_path / "birds")]
    assert parameters(datasets="food,./birds")["datasets"] == ["food", str(tmp_path / "birds")]
