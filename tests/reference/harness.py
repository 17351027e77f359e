"""What the reference scripts share: a comparison as a value, the program, and tests of the library that read files."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"


@dataclass
class Comparison:
    """The largest difference between nolabel and a reference, and the largest that is allowed."""

    name: str
    difference: float
    limit: float

    @property
    def ok(self):
        return self.difference <= self.limit  # not of NaN


def largest(found, expected):
    """`max |found - expected| / max(1, max |expected|)`: absolute for small values, relative for large ones."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def nolabel(program, *arguments):
    """Standard output of the program."""
    return run([program, *map(str, arguments), "-q"])


def library_test(name, **variables):
    """Standard output of one test of the library, which compares or writes files where a variable names their folder."""
    command = ["cargo", "test", "--release", "--locked", "--lib", name, "--", "--nocapture"]
    return run(command, cwd=ROOT, env=os.environ | {key: str(value) for key, value in variables.items()})


def printed_differences(text, limit):
    """The comparisons among the lines that a test printed: `NAME: ... largest difference 1e-6`."""
    found = re.findall(r"(\S+): .*?largest difference ([\d.e+-]+|NaN|inf)", text)
    return [Comparison(name, float(difference), limit) for name, difference in found]


def run(command, **settings):
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-15:]
        raise RuntimeError("\n".join([f"{' '.join(command)} ended with {done.returncode}:", *last]))
    return done.stdout
