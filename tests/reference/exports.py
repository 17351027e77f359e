"""Runs encoders that nolabel exported in PyTorch and in onnxruntime, and compares their features with nolabel's own.

For every architecture a test of the library writes NAME.safetensors, NAME.onnx and NAME.expected.safetensors with `images`,
what the network reads of them normalised (`read`), `features` and the map of each layer. Residual networks are loaded into
torchvision's with strict=True.
"""

import onnx
import onnxruntime
import torch
from harness import Comparison, largest, library_test
from safetensors.torch import load_file
from torch import nn
from torchvision.models import resnet

LIMIT = 1e-4


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
    return largest(features, expected["features"])


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
            worst[name] = max(worst.get(name, 0.0), largest(value, expected[name][: len(batch)]))
    return worst


def comparisons(_program, folder):
    library_test("for_other_programs", NOLABEL_EXPORTS=folder)
    for path in sorted(folder.glob("*.onnx")):
        name = path.stem
        expected = load_file(folder / f"{name}.expected.safetensors")
        found = in_onnxruntime(str(path), expected)
        yield Comparison(f"{name} in onnxruntime, features", found["features"], LIMIT)
        yield Comparison(f"{name} in onnxruntime, every layer", max(found.values()), LIMIT)
        if name.startswith("resnet"):
            yield Comparison(f"{name} in torchvision, features", in_torchvision(name, folder, expected), LIMIT)
