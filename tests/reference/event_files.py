"""The event files of `nolabel train --tensorboard`, read by TensorBoard's own reader."""

import json

from harness import ROOT, Comparison, largest, nolabel
from tensorboard.backend.event_processing.event_accumulator import IMAGES, SCALARS, EventAccumulator

EPOCHS, STEPS = 2, 8


def comparisons(program, folder):
    run, board = folder / "run", folder / "board"
    data = f"fashion-mnist:{ROOT / 'data' / 'fashion-mnist'}"
    common = ["--device", "cpu", "--tensorboard", board]
    settings = ["--images", 64, "--batch", 8, "--set", "encoder.width=4", "--save-every", 4]
    nolabel(program, "train", "simsiam", "--data", data, "--epochs", EPOCHS, "--out", run, *settings, *common)
    # a resumed run begins a second file: steps of the first that come later no longer count
    for late in sorted((run / "checkpoints").iterdir())[1:]:
        late.unlink()
    nolabel(program, "train", "--resume", "--out", run, *common)

    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    told = [event for event in events if event["event"] == "step"]
    files = EventAccumulator(str(board / "run"), size_guidance={SCALARS: 0, IMAGES: 0}).Reload()
    for tag, key in [("loss", "loss"), ("learning rate", "learning_rate"), ("images per second", "images_per_second")]:
        read = files.Scalars(f"train/{tag}")
        expected = [(event["step"], event[key]) for event in told]
        yield Comparison(f"steps and {tag}", largest([(it.step, it.value) for it in read], expected), 1e-6)
    healthy = [event for event in events if event["event"] == "health"]
    read = [it.value for it in files.Scalars("health/spread")]
    yield Comparison("spread", largest(read, [event["embedding"]["spread"] for event in healthy]), 1e-6)
    pictures = [files.Images(tag) for tag in files.Tags()["images"] if tag.startswith("pictures/")]
    steps = [[it.step for it in row] for row in pictures]
    whole = len(pictures) > 1 and all(of == [STEPS, EPOCHS * STEPS] for of in steps)
    yield Comparison("pictures after every epoch", 0.0 if whole else float("inf"), 0.0)
