"""Counts the ARM instructions of one run of a graph, under qemu; README.md beside this file says how.

    python arm.py ../../models/pictogram --stage denoiser

A count is exact and repeatable; it is no time. One run is the difference of three runs and one, halved; with `--first`, for graphs that
take minutes, the difference of one run and none.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

TARGET = "aarch64-unknown-linux-gnu"
PROCESSORS = ["cortex-a53", "cortex-a72", "cortex-a76"]
HERE = Path(__file__).resolve().parent


def build(root: Path) -> Path:
    """The stage runner for 64-bit ARM."""
    tools = {"CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER": "aarch64-linux-gnu-gcc", "CC_aarch64_unknown_linux_gnu": "aarch64-linux-gnu-gcc"}
    command = ["cargo", "build", "--release", "--locked", "--target", TARGET, "--example", "stage", "--no-default-features", "--features", "cli"]
    subprocess.run(command, check=True, cwd=root, env=os.environ | tools)
    return Path(os.environ.get("CARGO_TARGET_DIR", root / "target")) / TARGET / "release" / "examples" / "stage"


def count(plugin: Path, program: list, processor: str, out: Path, root: Path = Path("/usr/aarch64-linux-gnu")) -> dict[str, int]:
    """Instructions of a program, of class by class and of symbol by symbol; `root` holds its libraries."""
    command = ["qemu-aarch64", "-cpu", processor, "-plugin", f"{plugin},out={out}", "-L", root, *program]
    command = list(map(str, command))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    pairs = (line.rsplit(" ", 1) for line in out.read_text().splitlines())
    return {name: int(value) for name, value in pairs}


def one_run(plugin: Path, program: list, processor: str, folder: Path, fewer: int = 1, more: int = 3) -> dict[str, float]:
    """Instructions of one run by class and by symbol: the difference between so many runs."""
    before, after = (count(plugin, [*program, "--warm", 0, "--runs", runs], processor, folder / f"{runs}.txt") for runs in (fewer, more))
    return {name: (after[name] - before.get(name, 0)) / (more - fewer) for name in after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--stage", default="model")
    parser.add_argument("--processors", nargs="+", default=PROCESSORS)
    parser.add_argument("--first", action="store_true", help="count the first run alone")
    parser.add_argument("--binary", type=Path, help="stage.rs, built for 64-bit ARM already")
    parser.add_argument("--symbols", type=int, default=0, help="also list the N functions that execute most")
    options = parser.parse_args()
    binary = options.binary or build(HERE.parent.parent)
    with tempfile.TemporaryDirectory() as folder:
        plugin = Path(folder) / "libinstructions.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", plugin, HERE / "instructions.c"], check=True)
        print(f"{options.pack.name} {options.stage}, one thread, millions of instructions")
        for processor in options.processors:
            runs = (0, 1) if options.first else (1, 3)
            counts = one_run(plugin, [binary, options.pack, "--stage", options.stage], processor, Path(folder), *runs)
            classes = {name: value for name, value in counts.items() if not name.startswith("symbol:") and name != "total"}
            parts = ", ".join(f"{name} {value / 1e6:.1f}" for name, value in classes.items())
            print(f"  {processor:<11} {counts['total'] / 1e6:7.1f}  ({parts})")
            ranked = sorted((item for item in counts.items() if item[0].startswith("symbol:")), key=lambda item: -item[1])
            for name, value in ranked[: options.symbols]:
                print(f"      {value / 1e6:7.1f}  {name.removeprefix('symbol:')}")


if __name__ == "__main__":
    main()
