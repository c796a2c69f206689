# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from kit.lab import make_lab

results = []


@pytest.fixture(scope="module")
def outcomes(request):
    """What became of the scenarios of this module that were asked for."""
    module = request.module
    names = [item.callspec.params["name"] for item in request.session.items
             if item.module is module and item.originalname == "test_fault"]
    with make_lab() as lab:
        found = module.faults.run(lab, names)
    results.extend(found.values())
    return found


def pytest_terminal_summary(terminalreporter):
    """Scenario by scenario, what was said."""
    if not results:
        return
    terminalreporter.section("faults")
    for outcome in results:
        terminalreporter.line(str(outcome))
