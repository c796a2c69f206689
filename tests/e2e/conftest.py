# SPDX-License-Identifier: GPL-2.0-or-later
import shutil

import pytest

pytest.register_assert_rewrite("kit.agent", "kit.process", "kit.wait")

from kit.agent import HOPSCOPE
from kit.lab import make_lab


def pytest_configure(config):
    config.addinivalue_line("markers", "needs(program, ...): skipped where a program is not installed")


def pytest_sessionstart(session):
    if not HOPSCOPE.exists():
        pytest.exit(f"no {HOPSCOPE}: run make first, or set HOPSCOPE", returncode=2)


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        missing = [program for program in mark.args if not shutil.which(program)]
        if missing:
            pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.fixture
def lab():
    with make_lab() as lab:
        yield lab


@pytest.fixture
def agent(lab):
    """
    An agent with its defaults, but for a longer memory of events: other programs of this machine
    make some too. It must end well, and have lost nothing.
    """
    agent = lab.agent("max_events = 1048576\n")
    yield agent
    if agent.process.running:
        assert agent.dropped() == {}
    agent.stop()
