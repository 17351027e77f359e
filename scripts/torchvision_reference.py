"""Reference numbers from torchvision for the residual encoders.

    python scripts/torchvision_reference.py models FOLDER
        writes one FILE.safetensors for each of resnet18, resnet18-cifar, resnet50, resnet50-cifar: a state_dict with random
        weights and lived-in running statistics, `input` (pixels in 0 to 1) and `features` (after global average pooling,
        in inference mode). 190 MB in all, not committed. Compare by
            NOLABEL_TORCHVISION=FOLDER cargo test --release --lib torchvision -- --nocapture

    python scripts/torchvision_reference.py blocks tests/fixtures/residual_blocks.safetensors
        writes the committed fixture: one BasicBlock and one Bottleneck with few channels, their outputs in training and in
        inference mode, and gradients of the sum of squared outputs.

Needs torch, torchvision, numpy and safetensors; written with torch 2.15 and torchvision 0.29.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet
from torchvision.models.resnet import BasicBlock, Bottleneck

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
        print(name, tuple(features.shape), "std", features.std().item())


def shortcut(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def write_blocks(path):
    torch.manual_seed(3)
    tensors = {}
    blocks = {
        "basic": BasicBlock(3, 4, 2, shortcut(3, 4, 2)),
        "bottleneck": Bottleneck(4, 2, 2, shortcut(4, 8, 2)),
        "plain": BasicBlock(4, 4),
    }
    for name, block in blocks.items():
        live(block)
        keep = lambda tag, tensor: tensors.__setitem__(f"{name}/{tag}", tensor.detach().clone().contiguous())
        for key, value in block.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                keep(f"state/{key}", value)
        x = torch.randn(3, block.conv1.in_channels, 6, 6)
        keep("input", x)
        with torch.no_grad():
            keep("inference", block.eval()(x))
        x.requires_grad_()
        y = block.train()(x)
        keep("training", y)
        y.square().sum().backward()
        keep("gradient/input", x.grad)
        for key, value in block.named_parameters():
            keep(f"gradient/{key}", value.grad)
        keep("running_var", block.bn2.running_var)
    save_file(tensors, path)
    print(len(tensors), "tensors,", path.stat().st_size, "bytes")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["models", folder]:
            write_models(Path(folder))
        case ["blocks", path]:
            write_blocks(Path(path))
        case _:
            sys.exit(__doc__)
