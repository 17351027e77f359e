"""The fixture of residual blocks: what torchvision makes of a BasicBlock and a Bottleneck with few channels.

    python tests/reference/residual_blocks.py
        writes tests/fixtures/residual_blocks.safetensors anew: weights, inputs, outputs in training and in inference mode, and
        gradients of the sum of squared outputs.

The comparison takes weights and inputs from the committed file and computes the rest again.
"""

import torch
from harness import FIXTURES, Comparison, largest
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from torchvision_models import live

FIXTURE = FIXTURES / "residual_blocks.safetensors"
LIMIT = 1e-5


def shortcut(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def blocks():
    return {
        "basic": BasicBlock(3, 4, 2, shortcut(3, 4, 2)),
        "bottleneck": Bottleneck(4, 2, 2, shortcut(4, 8, 2)),
        "plain": BasicBlock(4, 4),
    }


def measured(block, x):
    """Outputs in inference and in training mode, gradients, and the running variance after the step."""
    with torch.no_grad():
        yield "inference", block.eval()(x)
    x = x.clone().requires_grad_()
    y = block.train()(x)
    yield "training", y
    y.square().sum().backward()
    yield "gradient/input", x.grad
    for key, value in block.named_parameters():
        yield f"gradient/{key}", value.grad
    yield "running_var", block.bn2.running_var


def state(block):
    return {f"state/{key}": value for key, value in block.state_dict().items() if not key.endswith("num_batches_tracked")}


def write():
    torch.manual_seed(3)
    tensors = {}
    for name, block in blocks().items():
        live(block)
        given = {**state(block), "input": torch.randn(3, block.conv1.in_channels, 6, 6)}
        tensors |= {f"{name}/{tag}": value.detach().clone().contiguous() for tag, value in given.items()}
        for tag, value in measured(block, given["input"]):
            tensors[f"{name}/{tag}"] = value.detach().clone().contiguous()
    save_file(tensors, FIXTURE)


def comparisons(_program, _folder):
    kept = load_file(FIXTURE)
    for name, block in blocks().items():
        own = {key.removeprefix(f"{name}/"): value for key, value in kept.items() if key.startswith(f"{name}/")}
        weights = {key.removeprefix("state/"): value for key, value in own.items() if key.startswith("state/")}
        block.load_state_dict(weights, strict=False)
        worst = max(largest(own[tag], value.detach()) for tag, value in measured(block, own["input"]))
        yield Comparison(f"fixture of the {name} block", worst, LIMIT)


if __name__ == "__main__":
    write()
