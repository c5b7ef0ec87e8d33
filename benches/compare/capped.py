"""Runs a stage of a pack under caps on all of its memory, private and mapped, and says how often its weights are read from the disk:
while it is loaded and the first time run, and in each run after that.

    sudo python capped.py PACK --caps 0 96 48

Needs Linux with a memory control group that this user may make (root, as a rule). A cap of 0 is none.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
from pathlib import Path

ROOTS = [(Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max")]
BLOCK = 512


def make_group(mebibytes: int) -> Path:
    """A control group with a cap."""
    root, limit = next((root, limit) for root, limit in ROOTS if (root / "cgroup.procs").exists())
    group = root / f"inkstone-{os.getpid()}-{mebibytes}"
    group.mkdir()
    if mebibytes:
        (group / limit).write_text(str(mebibytes << 20))
    return group


def run(command: list, group: Path) -> tuple[dict, int]:
    """A program's report and the bytes that it read from the disk."""
    enter = lambda: (group / "cgroup.procs").write_text(str(os.getpid()))  # noqa: E731
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, preexec_fn=enter)
    return json.loads(done.stdout.splitlines()[-1]), (resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock - before) * BLOCK


def forget(path: Path) -> None:
    """Drops a file from the page cache, so that every run starts cold."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cold(options: argparse.Namespace, weights: Path, cap: int, runs: int) -> tuple[float, dict]:
    """How many times a process that begins with nothing in memory reads its weights, and what it reports."""
    group = make_group(cap)
    forget(weights)
    command = [options.binaries / "examples" / "stage", options.pack, "--stage", options.stage, "--threads", options.threads]
    try:
        report, read = run([*command, "--warm", 0, "--runs", runs], group)
    finally:
        group.rmdir()
    return read / weights.stat().st_size, report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--stage", default="model")
    parser.add_argument("--binaries", type=Path, default=Path("target/release"), help="folder of examples/stage")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--caps", type=int, nargs="+", default=[0, 96, 48], help="MiB")
    options = parser.parse_args()
    weights = options.pack / "weights.bin"
    print(f"{options.pack.name} {options.stage}, weights {weights.stat().st_size / 2**20:.0f} MiB, {options.threads} threads, {options.runs} runs")
    for cap in options.caps:
        first, _ = cold(options, weights, cap, 1)
        more, report = cold(options, weights, cap, 1 + options.runs)
        times, memory = report["milliseconds"][1:], {kind: amount / 2**20 for kind, amount in report["memory"].items()}
        print(
            f"  {f'{cap} MiB' if cap else 'no cap':>8}: {statistics.median(times):7.1f} ms ({min(times):.1f}–{max(times):.1f}), private {memory['private_bytes']:.1f} MiB,"
            f" mapped {memory['mapped_bytes']:.1f} MiB, weights read {first:.2f} × for the first run and {(more - first) / options.runs:.2f} × for each after it"
        )


if __name__ == "__main__":
    main()
