"""Checkpoints laid out as other projects lay them out, for nolabel to read.

    python tests/reference/foreign_files.py files FOLDER
        writes a ResNet-18 and a ResNet-50 with random weights as torchvision, timm, MoCo (v1 to v3), SimSiam, Barlow Twins,
        SwAV, solo-learn and lightly keep them, in both formats of torch.save and as safetensors, and for each network
        `*.expected.safetensors` with `input` and `features`. 1.2 GB in all, not committed. Compare by
            NOLABEL_FOREIGN=FOLDER cargo test --release --lib foreign_files_give -- --nocapture

    python tests/reference/foreign_files.py fixtures
        writes the committed files in tests/fixtures/weights: some of them for a ResNet-18 with a 64th of the channels.
"""

import argparse
import sys
from collections import OrderedDict
from pathlib import Path

import torch
from harness import FIXTURES, library_test, printed_differences
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet

LIMIT = 1e-4
# files of half precision
HALF = 2e-2
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def narrow(net, times):
    """The same network with `times` fewer channels."""
    for name, module in list(net.named_modules()):
        parent = net.get_submodule(name.rpartition(".")[0])
        child = name.rpartition(".")[2]
        if isinstance(module, nn.Conv2d):
            inputs = module.in_channels if module.in_channels == 3 else module.in_channels // times
            outputs = module.out_channels // times
            conv = nn.Conv2d(inputs, outputs, module.kernel_size, module.stride, module.padding, bias=False)
            setattr(parent, child, conv)
        elif isinstance(module, nn.BatchNorm2d):
            setattr(parent, child, nn.BatchNorm2d(module.num_features // times))
    net.fc = nn.Linear(net.fc.in_features // times, 10)
    return net


def model(name, times):
    torch.manual_seed(7)
    net = narrow(getattr(resnet, name)(weights=None), times)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, 0.0, 0.2)
    net.train()
    for _ in range(5):  # running statistics that fit the weights
        net((torch.rand(4, 3, 64, 64) - MEAN) / STD)
    return net.eval()


def expected(net, side, path):
    images = torch.rand(2, 3, side, side)
    backbone = nn.Sequential(*list(net.children())[:-1], nn.Flatten())
    with torch.no_grad():
        features = backbone((images - MEAN) / STD)
    save_file({"input": images, "features": features}, str(path))


def layouts(net):
    """Name and content of a file of each project."""
    state = net.state_dict()
    bare = OrderedDict((key, value) for key, value in state.items() if not key.startswith("fc."))
    other = {key: value + 1 if value.is_floating_point() else value for key, value in bare.items()}
    head = {"0.weight": torch.rand(4, 4), "0.bias": torch.rand(4)}

    def under(prefix, values):
        return {prefix + key: value for key, value in values.items()}

    optimizer = {"state": {0: {"momentum_buffer": torch.rand(4)}}, "param_groups": [{"lr": 0.03, "params": [0]}]}
    args = argparse.Namespace(arch="resnet", lr=0.03)
    mlp = under("fc.", head)
    sequence = nn.Sequential(*list(net.children())[:-1]).state_dict()
    yield "torchvision", state
    yield "timm", {"epoch": 3, "arch": "resnet", "state_dict": state, "args": args, "metric": 0.5}
    yield "moco", {
        "epoch": 200,
        "arch": "resnet",
        "state_dict": under("module.encoder_q.", bare | mlp)
        | under("module.encoder_k.", other | mlp)
        | {"module.queue": torch.rand(4, 8), "module.queue_ptr": torch.zeros(1, dtype=torch.long)},
        "optimizer": optimizer,
    }
    yield "moco_v3", {
        "state_dict": under("module.base_encoder.", bare | mlp)
        | under("module.momentum_encoder.", other | mlp)
        | under("module.predictor.", head),
        "optimizer": optimizer,
        "scaler": {"scale": 65536.0},
    }
    yield "simsiam", {"state_dict": under("module.encoder.", bare | mlp) | under("module.predictor.", head)}
    yield "barlow_twins", {
        "epoch": 1000,
        "model": under("module.backbone.", bare) | under("module.projector.", head),
        "optimizer": optimizer,
    }
    yield "swav", under("module.", bare | under("projection_head.", head) | {"prototypes.weight": torch.rand(8, 4)})
    yield "solo_learn", {
        "state_dict": under("backbone.", bare)
        | under("momentum_backbone.", other)
        | under("projector.", head)
        | {"classifier.weight": torch.rand(10, 4)},
        "hparams_name": "cfg",
        "pytorch-lightning_version": "2.1",
    }
    yield "lightly", {"state_dict": under("backbone.", sequence) | under("projection_head.layers.", head)}


def write_all(folder, name, times, only=None):
    folder.mkdir(parents=True, exist_ok=True)
    net = model(name, times)
    expected(net, 64 if times == 1 else 32, folder / f"{name}.expected.safetensors")
    for project, content in layouts(net):
        if only is None or project in only:
            torch.save(content, folder / f"{name}.{project}.pth")
        if only is None or f"{project}_old" in only:
            torch.save(content, folder / f"{name}.{project}_old.pth", _use_new_zipfile_serialization=False)
    if only is None:
        save_file(net.state_dict(), str(folder / f"{name}.torchvision.safetensors"))
        half = {key: value.half() if value.is_floating_point() else value for key, value in net.state_dict().items()}
        save_file(half, str(folder / f"{name}.half.safetensors"))


def write_fixtures(folder):
    write_all(folder, "resnet18", 64, {"moco", "swav_old"})
    for path in folder.glob("resnet18.*"):
        path.rename(folder / path.name.removeprefix("resnet18."))


def comparisons(_program, folder):
    for name in ["resnet18", "resnet50"]:
        write_all(folder, name, 1)
    for found in printed_differences(library_test("foreign_files_give", NOLABEL_FOREIGN=folder), LIMIT):
        found.limit = HALF if "half" in found.name else LIMIT
        yield found


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["files", folder]:
            for network in ["resnet18", "resnet50"]:
                write_all(Path(folder), network, 1)
        case ["fixtures"]:
            write_fixtures(FIXTURES / "weights")
        case _:
            sys.exit(__doc__)
