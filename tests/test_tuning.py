"""How learning rate and epochs are chosen: never on test data, by a rule fixed beforehand."""

import pandas as pd

from cptlab.data import open_task
from cptlab.emoji.catalog import TEST_VENDORS
from cptlab.lab.study.profiles import DEMO, PROFILES
from cptlab.lab.study.tuning import DATASETS, EPOCHS, LABELS, RATES, SEEDS, choice, tuning


def test_tuning_looks_at_validation_only_and_at_seeds_of_its_own():
    study = tuning(DEMO)
    assert {spec.protocol for spec in study} == {"validation"}
    designs = [d for p in PROFILES.values() for d in (p.comparison, p.details, p.transfer)]
    assert not {spec.seed for spec in study} & {seed for design in designs for seed in design.seeds}
    assert {(s.schedule.lr, s.schedule.epochs) for s in study} == {
        (rate, epochs) for rate in RATES for epochs in EPOCHS
    }
    assert len(study) == len(RATES) * len(EPOCHS) * len(DATASETS) * len(SEEDS) * len(LABELS)
    for name in DATASETS:
        pool = open_task(name, "validation").learned
        seen = {sample.key.split("/")[1] for sample in (*pool.train, *pool.test)}
        assert not seen & set(TEST_VENDORS)


def test_the_best_mean_over_methods_is_chosen():
    index = pd.MultiIndex.from_tuples([(0.01, 12), (0.003, 6), (0.001, 3)], names=["lr", "epochs"])
    one = pd.DataFrame({"A": [60.0, 58.0, 50.0], "all methods": [57.0, 58.0, 56.0]}, index=index)
    assert choice(one) == (0.003, 6)


def test_the_embedded_schedule_is_inside_the_grid():
    """An optimum at the edge would say that the grid is too small."""
    schedule = DEMO.schedule
    assert min(RATES) < schedule.lr < max(RATES)
    assert min(EPOCHS) < schedule.epochs < max(EPOCHS)
