"""Runs encoders that nolabel exported in PyTorch and in onnxruntime, and compares their features with nolabel's own.

    NOLABEL_EXPORTS=FOLDER cargo test --release --lib for_other_programs
        writes, for every architecture, NAME.safetensors, NAME.onnx and NAME.expected.safetensors with `images`, what the
        network reads of them normalised (`read`), `features` and the map of each layer
    python tests/weights/check_exports.py FOLDER
        prints the largest difference of each and fails above 1e-4 of the largest value

Residual networks are loaded into torchvision's with strict=True. Needs torch, torchvision, safetensors, numpy, onnx and
onnxruntime; written with torch 2.15, torchvision 0.29, onnx 1.23, onnxruntime 1.32.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models import resnet

LIMIT = 1e-4


def apart(found, expected):
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def in_torchvision(name, folder, expected):
    """The largest difference of features computed by torchvision."""
    state = load_file(folder / f"{name}.safetensors")
    net = getattr(resnet, name.removesuffix("-cifar"))(weights=None)
    if name.endswith("-cifar"):
        net.conv1 = nn.Conv2d(state["conv1.weight"].shape[1], 64, 3, 1, 1, bias=False)
        net.maxpool = nn.Identity()
    net.fc = nn.Identity()
    net.load_state_dict(state, strict=True)
    with torch.no_grad():
        features = net.eval()(expected["read"])
    return apart(features.numpy(), expected["features"].numpy())


def in_onnxruntime(path, expected):
    """The largest difference of features and maps computed by onnxruntime."""
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    reads, = session.get_inputs()
    outputs = [output.name for output in session.get_outputs()]
    assert outputs[0] == "features", outputs
    assert set(outputs) == {key for key in expected if key not in ("images", "read", "raw")}, outputs
    given = expected["images" if reads.name == "images" else "raw"].numpy()
    worst = {}
    for batch in (given, given[:1]):
        for name, value in zip(outputs, session.run(None, {reads.name: batch})):
            worst[name] = max(worst.get(name, 0.0), apart(value, expected[name].numpy()[: len(batch)]))
    return worst


def main():
    folder, failed = Path(sys.argv[1]), []
    for path in sorted(folder.glob("*.onnx")):
        name = path.stem
        expected = load_file(folder / f"{name}.expected.safetensors")
        found = in_onnxruntime(str(path), expected)
        largest = max(found.values())
        line = f"{name:16} onnxruntime: features {found['features']:.1e}, all layers {largest:.1e}"
        if name.startswith("resnet"):
            torchvision = in_torchvision(name, folder, expected)
            largest = max(largest, torchvision)
            line += f"; torchvision, strict: features {torchvision:.1e}"
        print(line)
        failed += [name] if largest > LIMIT else []
    if failed or not list(folder.glob("*.onnx")):
        sys.exit(f"differ by more than {LIMIT}: {', '.join(failed) or 'there is nothing to compare'}")


main()
