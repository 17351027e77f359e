"""Compares nolabel's probes with scikit-learn's readers on the same features.

    python tests/probes/check_sklearn.py NOLABEL RUN [--layer NAME] [--images 5000] [--test-images 10000] [--grid 3]

NOLABEL is the program, RUN the folder of a run. `nolabel eval --json` measures one layer, `nolabel embed` writes the features
of the same images, and scikit-learn reads those: logistic regression with the same penalty on standardised features
(C = 1 / (images * l2)), and cosine nearest neighbours weighted by exp(similarity / temperature). The penalty is chosen
once more, too, on the last sixth of the training images. Prints all numbers and fails where an accuracy differs by more than 0.2
percentage points.

Needs numpy and scikit-learn; written with numpy 2.4 and scikit-learn 1.9.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

LIMIT = 0.2


def nolabel(program, *arguments):
    done = subprocess.run([program, *map(str, arguments), "-q"], check=True, capture_output=True, text=True)
    return done.stdout


def features(args, split, images, folder):
    path = Path(folder) / f"{split}.npy"
    common = ["--layer", args.layer, "--grid", args.grid, "--device", "cpu", *args.data]
    nolabel(args.nolabel, "embed", args.run, "--split", split, "--images", images, "--out", path, *common)
    return np.load(path).astype(np.float64), np.load(path.with_name(f"{split}-labels.npy")).astype(int)


def regression(x, y, l2, asked, truth):
    """The accuracy of logistic regression, standardised by the rows it is fitted to."""
    scale = StandardScaler().fit(x)
    model = LogisticRegression(C=1 / (len(x) * l2), tol=1e-5, max_iter=10_000)
    return model.fit(scale.transform(x), y).score(scale.transform(asked), truth)


def chosen(x, y, penalties):
    """The penalty that names most of the last sixth rightly, the stronger where two tie; and that share."""
    cut = len(x) - max(len(x) // 6, 1)
    found = [(regression(x[:cut], y[:cut], l2, x[cut:], y[cut:]), l2) for l2 in sorted(penalties, reverse=True)]
    return max(found, key=lambda pair: pair[0])


def neighbours(x, y, settings, asked, truth):
    def weigh(distances):
        return np.exp((1 - distances) / settings["temperature"])

    model = KNeighborsClassifier(settings["k"], weights=weigh, metric="cosine", algorithm="brute")
    return model.fit(x, y).score(asked, truth)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nolabel")
    parser.add_argument("run")
    parser.add_argument("--layer", default="gap")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--grid", type=int, default=3)
    parser.add_argument("--data", default=[], type=lambda spec: ["--data", spec])
    args = parser.parse_args()
    counts = ["--images", args.images, "--test-images", args.test_images]
    common = ["--layer", args.layer, "--grid", args.grid, "--device", "cpu", *args.data]
    card = json.loads(nolabel(args.nolabel, "eval", args.run, "--json", *counts, *common))
    rows = {row["probe"]: row for row in card["rows"] if row["source"] == "trained"}
    with tempfile.TemporaryDirectory() as folder:
        x, y = features(args, "train", args.images, folder)
        asked, truth = features(args, "test", args.test_images, folder)
    l2 = rows["linear"]["l2"]
    share, again = chosen(x, y, card["settings"]["penalties"])
    print(f"{args.layer}: {x.shape[1]} features, {len(x)} training and {len(asked)} test images")
    print(f"L2: nolabel chose {l2} ({rows['linear']['validation']:.4f} of the last sixth), scikit-learn {again} ({share:.4f})")
    theirs = {"linear": regression(x, y, l2, asked, truth), "knn": neighbours(x, y, card["settings"], asked, truth)}
    apart = {probe: 100 * (rows[probe]["accuracy"] - theirs[probe]) for probe in theirs}
    for probe, points in apart.items():
        print(f"{probe:6} nolabel {100 * rows[probe]['accuracy']:.2f}  scikit-learn {100 * theirs[probe]:.2f}  {points:+.2f} points")
    if max(map(abs, apart.values())) > LIMIT:
        sys.exit(f"they differ by more than {LIMIT} points")


main()
