"""Compares the paired interval of a gain with NumPy's bootstrap.

Two classifiers on the same images: some are classified correctly by the first alone, some by the second alone. The bootstrap draws
the images with replacement and takes the 2.5 % and 97.5 % quantiles of the gain. A test of the library reads the quantiles and prints
its own interval's largest difference from them, as a share of the images: 0.001 are 0.1 percentage points.
"""

import json

import numpy as np
from harness import library_test, printed_differences

# images that the first alone, and the second alone, classifies correctly, of so many
PAIRS = [(300, 200, 5000), (300, 290, 5000), (120, 400, 5000), (12, 5, 5000), (700, 650, 5000), (150, 90, 2000), (900, 700, 10_000)]
DRAWS = 40_000
LIMIT = 1e-3


def quantiles(gained, lost, images):
    """The ends of the bootstrap's 95 % interval."""
    draw = np.random.default_rng(gained + lost)
    shares = np.array([gained, lost, images - gained - lost]) / images
    counts = draw.multinomial(images, shares, size=DRAWS)
    return np.quantile((counts[:, 0] - counts[:, 1]) / images, [0.025, 0.975]).tolist()


def comparisons(_program, folder):
    cases = [[*pair, *quantiles(*pair)] for pair in PAIRS]
    (folder / "pairs.json").write_text(json.dumps(cases))
    printed = library_test("paired_intervals_are_those_of_a_bootstrap", NOLABEL_PAIRS=folder / "pairs.json")
    yield from printed_differences(printed, LIMIT)
