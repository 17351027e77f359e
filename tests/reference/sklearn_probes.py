"""Compares nolabel's probes with scikit-learn's on the same features.

A short run is trained. `nolabel eval --json` measures one layer, `nolabel embed` writes the features of the same images, and
scikit-learn classifies those: logistic regression with the same penalty on standardised features (C = 1 / (images * l2)), and
nearest neighbours by cosine, weighted by exp(similarity / temperature). Differences are shares of the images: 0.002 are 0.2
percentage points.
"""

import json

import numpy as np
from harness import Comparison, nolabel
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

IMAGES = 5000
TEST_IMAGES = 10_000
LAYERS = ["gap", "block3"]
LIMIT = 2e-3
# five of 833 images
VALIDATION_LIMIT = 6e-3
TRAIN = ["rotation", "--data", "fashion-mnist", "--steps", 100, "--seed", 1, "--device", "cpu"]


def features(program, run, layer, split, images, folder):
    path = folder / f"{layer}-{split}.npy"
    asked = ["--split", split, "--images", images, "--layer", layer, "--device", "cpu", "--out", path]
    nolabel(program, "embed", run, *asked)
    return np.load(path).astype(np.float64), np.load(path.with_name(f"{path.stem}-labels.npy")).astype(int)


def regression(x, y, l2, asked, truth):
    """Accuracy of logistic regression, standardised by the rows it is fitted to."""
    scale = StandardScaler().fit(x)
    model = LogisticRegression(C=1 / (len(x) * l2), tol=1e-5, max_iter=10_000)
    return model.fit(scale.transform(x), y).score(scale.transform(asked), truth)


def validated(x, y, l2):
    """Accuracy on the last sixth of the rows, which chooses the penalty."""
    cut = len(x) - max(len(x) // 6, 1)
    return regression(x[:cut], y[:cut], l2, x[cut:], y[cut:])


def neighbours(x, y, settings, asked, truth):
    def weigh(distances):
        return np.exp((1 - distances) / settings["temperature"])

    model = KNeighborsClassifier(settings["k"], weights=weigh, metric="cosine", algorithm="brute")
    return model.fit(x, y).score(asked, truth)


def comparisons(program, folder):
    run = folder / "run"
    nolabel(program, "train", *TRAIN, "--out", run)
    for layer in LAYERS:
        counts = ["--images", IMAGES, "--test-images", TEST_IMAGES, "--layer", layer, "--device", "cpu"]
        card = json.loads(nolabel(program, "eval", run, "--json", *counts))
        rows = {row["probe"]: row for row in card["rows"] if row["source"] == "trained"}
        x, y = features(program, run, layer, "train", IMAGES, folder)
        asked, truth = features(program, run, layer, "test", TEST_IMAGES, folder)
        l2 = rows["linear"]["l2"]
        theirs = {"linear": regression(x, y, l2, asked, truth), "knn": neighbours(x, y, card["settings"], asked, truth)}
        for probe, accuracy in theirs.items():
            yield Comparison(f"{probe} probe at {layer}, accuracy", abs(rows[probe]["accuracy"] - accuracy), LIMIT)
        apart = abs(rows["linear"]["validation"] - validated(x, y, l2))
        yield Comparison(f"linear probe at {layer}, validation", apart, VALIDATION_LIMIT)
