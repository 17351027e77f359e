"""Compares nolabel's probes with scikit-learn's on the same features.

A short run is trained on a part of Fashion-MNIST. `nolabel eval --json` measures a layer, `nolabel embed` writes the features of
the same images, and scikit-learn classifies those: logistic regression with the same penalty on standardised features (C = 1 /
(images * l2)), and nearest neighbours by cosine, weighted by exp(similarity / temperature). Differences are shares of the test
images: 0.002 are 0.2 percentage points.

Few images with many features are compared at every penalty: a test of the library fits probes to files of features that are
written here, and predicts test rows. Such fits separate their classes almost perfectly, and the weaker the penalty, the further
away is the minimum.
"""

import gzip
import json

import numpy as np
from harness import ROOT, Comparison, library_test, nolabel
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

DATA = ROOT / "data" / "fashion-mnist"
COUNTS = {"train": 5000, "t10k": 10_000}
LAYERS = ["gap", "block3"]
LIMIT = 2e-3
PENALTIES = [1e-1, 1e-2, 1e-3, 1e-4]
# images, features, classes
FEW = [(60, 12_288, 10), (300, 3072, 10), (300, 784, 5), (800, 784, 10)]
TESTED = 2000
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


def clouds(images, features, classes):
    """Rows of overlapping classes whose features are mixtures of a few directions, as pixels are, and noise."""
    draw = np.random.default_rng(images * features)
    axes = draw.normal(size=(50, features)) / np.sqrt(1 + np.arange(50))[:, None]
    labels = np.arange(images + TESTED) % classes
    shares = draw.normal(size=(images + TESTED, 50))
    shares[np.arange(images + TESTED), labels] += 2
    rows = shares @ axes + draw.normal(size=(images + TESTED, features))
    return rows.astype("<f4"), labels.astype("<u2")


def converged(x, y, l2, asked):
    """Classes predicted by scikit-learn, solved by Newton's method in coordinates of the space that the rows span: the penalty does
    not see the rotation, and the problem is small."""
    scale = StandardScaler().fit(x)
    x, asked = scale.transform(x), scale.transform(asked)
    if len(x) < x.shape[1]:
        directions = np.linalg.svd(x, full_matrices=False)[2]
        x, asked = x @ directions.T, asked @ directions.T
    model = LogisticRegression(C=1 / (len(x) * l2), solver="newton-cg", tol=1e-7, max_iter=1000)
    return model.fit(x, y).predict(asked)


def few_images(folder):
    for images, features, classes in FEW:
        rows, labels = clouds(images, features, classes)
        case = folder / f"{images}-{features}"
        case.mkdir()
        rows.tofile(case / "rows.f32")
        labels.tofile(case / "labels.u16")
        sizes = {"images": images, "features": features, "classes": classes, "penalties": PENALTIES}
        (case / "sizes.json").write_text(json.dumps(sizes))
    library_test("probe::linear::tests::probes_of_files_are_fitted", NOLABEL_PROBES=folder)
    for images, features, classes in FEW:
        case = folder / f"{images}-{features}"
        rows, labels = clouds(images, features, classes)
        rows, truth = rows.astype(np.float64), labels[images:]
        for l2 in PENALTIES:
            ours = np.fromfile(case / f"{l2:g}.u16", dtype="<u2")
            theirs = converged(rows[:images], labels[:images], l2, rows[images:])
            off = abs((ours == truth).mean() - (theirs == truth).mean())
            yield Comparison(f"{images} of {features}, L2 {l2:g}, accuracy", off, LIMIT)


def comparisons(program, folder):
    (folder / "few").mkdir()
    yield from few_images(folder / "few")
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
