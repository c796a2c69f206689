# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for conditions, and how much of it this machine needs."""
import os
import time

SLOW = os.environ.get("HOPSCOPE_SLOW") == "1"

# Asking takes an emulated machine longer than this: it would do little else.
PAUSE = 0.1 if SLOW else 0.02


def patience(seconds):
    """A time limit: an emulated machine takes longer for everything."""
    return seconds * 6 if SLOW else seconds


def fewer(count, when_slow):
    return when_slow if SLOW else count


def eventually(probe, timeout=15, what=""):
    """The first true value of probe()."""
    deadline = time.monotonic() + patience(timeout)
    while not (value := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience(timeout)} s: {what or 'condition'} (last: {value!r})")
        time.sleep(PAUSE)
    return value


def becomes(probe, wanted, timeout=15):
    """probe() comes to return wanted."""
    last = []

    def same():
        last[:] = [probe()]
        return last == [wanted]

    try:
        eventually(same, timeout)
    except AssertionError:
        assert last[0] == wanted, f"not within {patience(timeout)} s"
        raise
