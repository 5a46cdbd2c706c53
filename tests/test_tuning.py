"""How learning rate and epochs are chosen: never on test data, by a rule fixed beforehand."""

import pandas as pd
import pytest

from cptlab.data import open_dataset
from cptlab.emoji.catalog import TEST_VENDORS
from cptlab.profiles import DEMO, PROFILES
from cptlab.tuning import DATASETS, EPOCHS, RATES, SEEDS, choice, tuning


def test_tuning_looks_at_validation_only_and_at_seeds_of_its_own():
    study = tuning(DEMO)
    assert {spec.evaluate for spec in study} == {"validation"}
    assert not {spec.seed for spec in study} & {s for p in PROFILES.values() for s in p.seeds}
    assert {(s.schedule.lr, s.schedule.epochs) for s in study} == {
        (rate, epochs) for rate in RATES for epochs in EPOCHS
    }
    assert len(study) == len(RATES) * len(EPOCHS) * len(DATASETS) * len(SEEDS) * 4
    for name in DATASETS:
        pool = open_dataset(name, "validation")
        seen = {sample.key.split("/")[1] for sample in (*pool.train, *pool.test)}
        assert not seen & set(TEST_VENDORS)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({(0.01, 12): 60.0, (0.003, 6): 59.2, (0.001, 6): 58.0}, (0.003, 6)),
        ({(0.01, 12): 60.0, (0.003, 6): 58.9, (0.001, 12): 59.5}, (0.001, 12)),
        ({(0.01, 6): 60.0, (0.003, 6): 59.9, (0.001, 12): 60.5}, (0.003, 6)),
    ],
)
def test_ties_go_to_the_shorter_then_gentler_setting(values, wanted):
    index = pd.MultiIndex.from_tuples(values, names=["lr", "epochs"])
    summary = pd.DataFrame({"all methods": list(values.values())}, index=index)
    assert choice(summary) == wanted
