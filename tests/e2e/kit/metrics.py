# SPDX-License-Identifier: GPL-2.0-or-later
"""The Prometheus text format, read strictly enough to notice nonsense."""
import re
from collections import namedtuple

Sample = namedtuple("Sample", "name labels value")

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$", re.S)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"bad labels: {text!r}"
        labels[match[1]] = re.sub(r'\\[\\"n]', lambda escape: ESCAPED[escape[0]], match[2])
        at = match.end()
    return labels


def parse_sample(line):
    match = SAMPLE.match(line)
    assert match, f"bad sample: {line!r}"
    return Sample(match[1], parse_labels(match[2] or ""), float(match[3]))


class Metrics:
    """Samples are parsed when they are asked for: most scrapes are made for a few of a thousand."""

    def __init__(self, text):
        self.text = text
        self.lines, self.types, self.help = [], {}, {}
        for line in text.split("\n")[:-1]:
            self._line(line)

    @property
    def samples(self):
        return [parse_sample(line) for line in self.lines]

    def _line(self, line):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in self.types, f"{name} has two TYPE lines"
            self.types[name] = kind
        elif line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            self.help[name] = text
        elif not line.startswith("#"):
            self.lines.append(line)

    def all(self, name, **labels):
        wanted = {key: str(value) for key, value in labels.items()}
        found = (parse_sample(line) for line in self.lines if line.startswith((f"{name}{{", f"{name} ")))
        return [sample for sample in found if wanted.items() <= sample.labels.items()]

    def value(self, name, **labels):
        """The sum of all samples that have these labels."""
        return sum(sample.value for sample in self.all(name, **labels))

    def by(self, label, name, **labels):
        """What value() would give, apart by one label."""
        sums = {}
        for sample in self.all(name, **labels):
            sums[sample.labels[label]] = sums.get(sample.labels[label], 0) + sample.value
        return sums
