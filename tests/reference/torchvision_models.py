"""Residual networks of torchvision with random weights, whose features nolabel reproduces.

    python tests/reference/torchvision_models.py FOLDER
        writes one FILE.safetensors for each of resnet18, resnet18-cifar, resnet50, resnet50-cifar: a state_dict with random
        weights and running statistics that fit them, `input` (pixels in 0 to 1) and `features` (after global average pooling,
        in inference mode). 190 MB in all, not committed. Compare by
            NOLABEL_TORCHVISION=FOLDER cargo test --release --lib features_are_torchvisions -- --nocapture
"""

import sys
from pathlib import Path

import torch
from harness import library_test, printed_differences
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet

LIMIT = 1e-4
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def live(module):
    """Gives every batch norm a scale, a shift and running statistics that differ from those of a fresh one."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0.0, 0.2)
            nn.init.normal_(norm.running_mean, 0.0, 0.2)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return module


def model(name):
    net = getattr(resnet, name.removesuffix("-cifar"))(weights=None)
    if name.endswith("-cifar"):
        net.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        net.maxpool = nn.Identity()
    return live(net)


def write_models(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, side in [("resnet18", 96), ("resnet18-cifar", 32), ("resnet50", 96), ("resnet50-cifar", 32)]:
        torch.manual_seed(7)
        net = model(name)
        state = {key: value.clone() for key, value in net.state_dict().items()}
        images = torch.rand(2, 3, side, side)
        net.fc = nn.Identity()
        net.train()
        for _ in range(20):  # running statistics that fit the weights, so that features keep their size
            net((torch.rand(8, 3, side, side) - MEAN) / STD)
        net.eval()
        with torch.no_grad():
            features = net((images - MEAN) / STD)
        state.update({key: value.clone() for key, value in net.state_dict().items()})
        save_file({**state, "input": images, "features": features}, folder / f"{name}.safetensors")


def comparisons(_program, folder):
    write_models(folder)
    yield from printed_differences(library_test("features_are_torchvisions", NOLABEL_TORCHVISION=folder), LIMIT)


if __name__ == "__main__":
    write_models(Path(sys.argv[1])) if len(sys.argv) == 2 else sys.exit(__doc__)
