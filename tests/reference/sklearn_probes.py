"""Compares nolabel's probes with scikit-learn's on the same features.

A short run is trained on a part of Fashion-MNIST. `nolabel eval --json` measures a layer, `nolabel embed` writes the features of
the same images, and scikit-learn classifies those: logistic regression with the same penalty on standardised features (C = 1 /
(images * l2)), and nearest neighbours by cosine, weighted by exp(similarity / temperature). Differences are shares of the test
images: 0.002 are 0.2 percentage points.
"""

import gzip
import json

import numpy as np
from harness import ROOT, Comparison, nolabel
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

DATA = ROOT / "data" / "fashion-mnist"
COUNTS = {"train": 5000, "t10k": 10_000}
LAYERS = ["gap", "block3"]
LIMIT = 2e-3
TRAIN = ["train", "rotation", "--steps", 100, "--seed", 1, "--device", "cpu"]


def part_of_the_data(folder):
    """The first images of each split as a data set of its own: all of them are used, so nothing is drawn."""
    folder.mkdir()
    for split, count in COUNTS.items():
        for kind, width in [("images-idx3", 28 * 28), ("labels-idx1", 1)]:
            name = f"{split}-{kind}-ubyte"
            packed = gzip.decompress((DATA / f"{name}.gz").read_bytes())
            head = 16 if width > 1 else 8
            whole = packed[:4] + count.to_bytes(4, "big") + packed[8 : head + count * width]
            (folder / name).write_bytes(whole)
    return ["--data", f"fashion-mnist:{folder}"]


def features(program, run, data, layer, split, folder):
    path = folder / f"{layer}-{split}.npy"
    nolabel(program, "embed", run, *data, "--split", split, "--layer", layer, "--device", "cpu", "--out", path)
    return np.load(path).astype(np.float64), np.load(path.with_name(f"{path.stem}-labels.npy")).astype(int)


def regression(x, y, l2, asked, truth):
    """Accuracy of logistic regression, standardised by the rows it is fitted to."""
    scale = StandardScaler().fit(x)
    model = LogisticRegression(C=1 / (len(x) * l2), tol=1e-5, max_iter=10_000)
    return model.fit(scale.transform(x), y).score(scale.transform(asked), truth)


def neighbours(x, y, settings, asked, truth):
    def weigh(distances):
        return np.exp((1 - distances) / settings["temperature"])

    model = KNeighborsClassifier(settings["k"], weights=weigh, metric="cosine", algorithm="brute")
    return model.fit(x, y).score(asked, truth)


def comparisons(program, folder):
    data, run = part_of_the_data(folder / "data"), folder / "run"
    nolabel(program, *TRAIN, *data, "--out", run)
    for layer in LAYERS:
        card = json.loads(nolabel(program, "eval", run, *data, "--json", "--layer", layer, "--device", "cpu"))
        rows = {row["probe"]: row for row in card["rows"] if row["source"] == "trained"}
        x, y = features(program, run, data, layer, "train", folder)
        asked, truth = features(program, run, data, layer, "test", folder)
        assert (len(x), len(asked)) == tuple(COUNTS.values())
        theirs = {
            "linear": regression(x, y, rows["linear"]["l2"], asked, truth),
            "knn": neighbours(x, y, card["settings"], asked, truth),
        }
        for probe, accuracy in theirs.items():
            yield Comparison(f"{probe} at {layer}, accuracy", abs(rows[probe]["accuracy"] - accuracy), LIMIT)
