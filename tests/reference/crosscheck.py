"""Compares nolabel with other libraries: every reference script beside this file, one line a comparison.

    python tests/reference/crosscheck.py NOLABEL [SCRIPT...]

NOLABEL is the program; scripts may be named without their ending, all of them run otherwise. Ends with 1 where a difference is
above its limit or a script fails. `make crosscheck` installs what is needed and runs this.
"""

import platform
import shutil
import sys
import tempfile
import traceback
from datetime import date
from importlib import import_module, metadata
from pathlib import Path

from harness import run

HERE = Path(__file__).parent
LIBRARIES = ["torch", "torchvision", "scikit-learn", "onnx", "onnxruntime", "safetensors", "tensorboard", "numpy", "pillow"]


def compare(name, program, folder):
    """Prints the comparisons of one script; returns those that are off."""
    off, folder = [], folder / name
    folder.mkdir()
    try:
        for found in import_module(name).comparisons(program, folder):
            print(f"{'ok ' if found.ok else 'OFF'}  {name + ': ' + found.name:58}  {found.difference:.1e}  {found.limit:.0e}", flush=True)
            off += [] if found.ok else [found.name]
    except Exception:
        traceback.print_exc()
        print(f"OFF  {name}: the script failed", flush=True)
        off.append(name)
    shutil.rmtree(folder)
    return off


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program, wanted = sys.argv[1], sys.argv[2:]
    scripts = [path.stem for path in sorted(HERE.glob("*.py")) if "\ndef comparisons(" in path.read_text()]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)
    print(f"{date.today()}, {run([program, '--version']).strip()}; Python {platform.python_version()}, {versions}")
    print(f"{'':5}{'comparison':58}  largest difference, limit")
    with tempfile.TemporaryDirectory() as folder:
        off = [name for script in wanted or scripts for name in compare(script, program, Path(folder))]
    sys.exit(f"{len(off)} differ by more than their limit" if off else 0)


if __name__ == "__main__":
    main()
