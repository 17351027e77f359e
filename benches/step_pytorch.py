#!/usr/bin/env python3
"""Times training steps in PyTorch on the CPU, beside those that `cargo bench --bench step` printed.

    benches/step_pytorch.py FILE

FILE holds what the bench printed. The networks, batches, losses and update rules are those of nolabel's small presets; images are
noise, and the views are not drawn here, so nolabel's time is taken without its views. Both use all cores.
"""

import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

STEPS = 9


def encoder():
    """Four blocks of convolution, batch norm and ReLU, three of them with 2x2 max pooling; then the mean over all pixels."""
    widths = [1, 32, 64, 128, 128]
    blocks = []
    for number, (before, width) in enumerate(zip(widths, widths[1:])):
        blocks += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        blocks += [nn.MaxPool2d(2)] if number < 3 else []
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def head(widths, last_norm):
    """Linear layers without bias, each but the last with batch norm and ReLU."""
    layers = []
    for number, (before, width) in enumerate(zip(widths, widths[1:])):
        is_last = number == len(widths) - 2
        layers.append(nn.Linear(before, width, bias=False))
        layers += [last_norm(width)] if is_last else [nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def rotation():
    """64 images in four turns."""
    net = nn.Sequential(encoder(), nn.Linear(128, 4))
    images, turns = torch.rand(256, 1, 28, 28), torch.arange(4).repeat_interleave(64)
    rule = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    return rule, lambda: F.cross_entropy(net(images), turns)


def simsiam():
    """Two views of 256 images, one after the other, as the paper's code computes them."""
    net = nn.Sequential(encoder(), head([128, 512, 512], lambda width: nn.BatchNorm1d(width, affine=False)))
    predictor = nn.Sequential(head([512, 128], nn.BatchNorm1d), nn.ReLU(inplace=True), nn.Linear(128, 512))
    one, other = torch.rand(2, 256, 1, 28, 28)
    rule = torch.optim.SGD([*net.parameters(), *predictor.parameters()], lr=0.03, momentum=0.9, weight_decay=5e-4)

    def loss():
        z1, z2 = net(one), net(other)
        pairs = [(predictor(z1), z2), (predictor(z2), z1)]
        return -sum(F.cosine_similarity(p, z.detach()).mean() for p, z in pairs) / 2

    return rule, loss


def barlow_twins():
    """Two views of 256 images, one after the other."""
    net = nn.Sequential(encoder(), head([128, 512, 512], lambda _: nn.Identity()))
    norm = nn.BatchNorm1d(512, affine=False)
    one, other = torch.rand(2, 256, 1, 28, 28)
    rule = torch.optim.Adam(net.parameters(), lr=1e-3)

    def loss():
        c = norm(net(one)).T @ norm(net(other)) / 256
        own = c.diagonal()
        return 0.1 * ((1 - own).square().sum() + 0.005 * (c.square().sum() - own.square().sum()))

    return rule, loss


METHODS = {"rotation": rotation, "simsiam": simsiam, "barlow-twins": barlow_twins}


def milliseconds(method):
    rule, loss = method()
    times = []
    for _ in range(STEPS + 1):
        begin = time.perf_counter()
        rule.zero_grad()
        value = loss()
        value.backward()
        rule.step()
        value.item()
        times.append(1e3 * (time.perf_counter() - begin))
    # the first step warms up
    return statistics.median(times[1:])


def printed(path):
    """Milliseconds of a step without its views, by method."""
    own = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            cells = line.split()
            if cells and cells[0] in METHODS:
                views, step = float(cells[2]), float(cells[3])
                own[cells[0]] = step - views
    return own


def main(path):
    own = printed(path)
    if not own:
        sys.exit(f"{path} holds none of {', '.join(METHODS)}; `cargo bench --bench step` prints them")
    print(f"\n{'without views':<20} {'nolabel ms':>12} {'PyTorch ms':>12} {'ratio':>8}   (PyTorch {torch.__version__}, {torch.get_num_threads()} threads)")
    for name, ms in own.items():
        other = milliseconds(METHODS[name])
        print(f"{name:<20} {ms:>12.1f} {other:>12.1f} {ms / other:>8.2f}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
