"""Parameters of another type than declared, and options given twice: one message, or taken."""

import click
import pytest

from cptlab.lab.cli.main import commands
from cptlab.lab.compare import Question
from cptlab.lab.runs.queue import run
from cptlab.lab.study.profiles import profile_named
from cptlab.lab.study.settings import PARAMETERS, profile_with
from cptlab.lab.workspace import workspace

ODD = (2026, 1.5, True, False, 0, {"a": 1}, [1, 2], [[1]], [None], ["x"], "x", b"x")
"""What `papermill -p`, `-y` and JupyterLab's first cell can bring."""


def all_commands(group=commands, name="cptlab"):
    """Every command with its name as it is typed."""
    for part, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from all_commands(command, f"{name} {part}")
        else:
            yield f"{name} {part}", command


COMMANDS = dict(all_commands())
SINGLE = [
    (name, option.opts[0], option.is_flag)
    for name, command in COMMANDS.items()
    for option in command.params
    if isinstance(option, click.Option) and not option.multiple
]


@pytest.mark.parametrize(("name", "option", "is_flag"), SINGLE)
def test_an_option_given_twice_is_refused(name, option, is_flag):
    once = [option] if is_flag else [option, "1"]
    with pytest.raises(click.UsageError, match=f"{option} is given 2 times"):
        COMMANDS[name].make_context(name, once * 2)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        (
            "cptlab run",
            ["--set", "lambda_rs=1", "--set", "lambda_rs=2"],
            "lambda_rs is given 2",
        ),
        (
            "cptlab run",
            ["--balance", "beta=.9", "--balance", "beta=.8"],
            "beta is given 2",
        ),
        ("cptlab run", ["--target", "food", "--target", "food"], "--target food is given 2 times"),
        ("cptlab compare", ["a", "--set", "cpt.n=1", "--set", "cpt.n=1"], r"--set cpt\.n is given"),
        (
            "cptlab figures",
            ["--method", "a.py:A", "--method", "a.py:A"],
            "a.py:A is given",
        ),
    ],
)
def test_a_name_with_two_values_is_refused(name, arguments, message):
    with pytest.raises(click.UsageError, match=message):
        COMMANDS[name].make_context(name, arguments)


def test_what_may_be_repeated_is_taken():
    given = ["--set", "lambda_rs=1", "--set", "lambda_cc=2", "--target", "food", "--seed", "2"]
    values = COMMANDS["cptlab run"].make_context("run", given).params
    assert values["options"] == ("lambda_rs=1", "lambda_cc=2")
    assert (values["targets"], values["seed"]) == (("food",), 2)


def test_a_profile_is_changed_once():
    with pytest.raises(ValueError, match=r"demo,tau=1,tau=0\.25 changes something twice"):
        profile_named("demo,tau=1,tau=0.25")


@pytest.mark.parametrize("value", [value for value in ODD if value != "x"])
def test_folders_and_profiles_are_text(value):
    with pytest.raises(ValueError, match=r"out is .*but must be text.*-r out"):
        workspace("smoke", value)
    for call in (workspace, profile_named):
        with pytest.raises(ValueError, match=r"profile is .*but must be text.*-r profile"):
            call(value)


@pytest.mark.parametrize("value", [*ODD[1:], "2", None, -1])
def test_jobs_are_a_whole_number(value, tmp_path):
    with pytest.raises(ValueError, match=r"jobs is .*, but must be a whole number from 1 on"):
        run([], tmp_path, value)


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("value", ODD, ids=str)
def test_parameters_of_studies_are_taken_or_explained(name, value):
    try:
        profile_with("smoke", **{name: value})
    except ValueError as error:
        assert len(str(error)) > 20


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"shots": "16"}, "shots is '16', but must be int"),
        ({"epochs": 2.5}, "epochs is 2.5, but must be"),
        ({"lr": "0.1"}, "lr is '0.1', but must be"),
        ({"batch_size": True}, "batch_size is True, but must be"),
        ({"protocol": 5}, "protocol is 5, but must be one of base_to_new, few_shot, transfer"),
        ({"class_order": "size"}, "class_order is 'size', but must be one of"),
        ({"profile": 2026}, "profile is 2026, but must be str"),
        ({"reference": 5}, "reference is 5, but must be"),
        ({"template": 5}, "template is 5, but must be"),
        ({"options": "cpt"}, "options is 'cpt', but must be"),
    ],
)
def test_questions_say_what_a_parameter_must_be(given, message):
    with pytest.raises(ValueError, match=message):
        Question("food", "coop", **given)
