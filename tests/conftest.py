"""What every test starts with."""

import pytest

from cptlab.methods import registry


@pytest.fixture(autouse=True)
def no_methods_of_other_tests(monkeypatch):
    """A process remembers methods from outside the package; tests must not see each other's."""
    monkeypatch.setattr(registry, "_named", {})
