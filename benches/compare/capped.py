"""Runs a stage of a pack under caps on all of its memory, private and mapped, and says how often its weights are read from the disk:
while it is loaded and the first time run, and in each run after that. With a prompt, whole pictures.

    sudo python capped.py PACK --caps 0 96 48
    sudo python capped.py PACK --prompt "a red cat" --caps 0 512 300

Needs Linux with a memory control group that this user may make (root, as a rule). A cap of 0 is none.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
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
    return json.loads(done.stdout), (resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock - before) * BLOCK


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


def picture(options: argparse.Namespace, weights: Path, cap: int) -> str:
    """What a picture takes in a process that begins with nothing in memory."""
    group = make_group(cap)
    forget(weights)
    try:
        with tempfile.TemporaryDirectory() as folder:
            command = [options.binaries / "inkstone", "generate", options.prompt, "--pack", options.pack, "--threads", options.threads]
            command += ["--seed", 7, "--guess", "--json", "--out", f"{folder}/picture.png"]
            report, read = run([*command, "--memory-cap", cap] if cap else command, group)
    except subprocess.CalledProcessError as error:
        return f"exit code {error.returncode}" if error.returncode > 0 else "killed by the system, out of memory"
    finally:
        group.rmdir()
    memory = {kind: amount / 2**20 for kind, amount in report["memory"].items()}
    made = report["pictures"][0]
    return (
        f"{made['milliseconds'] / 1000:.1f} s, private {memory['private_bytes']:.0f} MiB, mapped {memory['mapped_bytes']:.0f} MiB,"
        f" weights read {read / weights.stat().st_size:.2f} ×, pixels {made['sha256'][:8]}"
    )


def of_stage(options: argparse.Namespace, weights: Path, cap: int) -> str:
    """What the first run of a stage reads, and those after it."""
    first, _ = cold(options, weights, cap, 1)
    more, report = cold(options, weights, cap, 1 + options.runs)
    times, memory = report["milliseconds"][1:], {kind: amount / 2**20 for kind, amount in report["memory"].items()}
    return (
        f"{statistics.median(times):7.1f} ms ({min(times):.1f}–{max(times):.1f}), private {memory['private_bytes']:.1f} MiB,"
        f" mapped {memory['mapped_bytes']:.1f} MiB, weights read {first:.2f} × for the first run and {(more - first) / options.runs:.2f} × for each after it"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--stage", default="model")
    parser.add_argument("--binaries", type=Path, default=Path("target/release"), help="folder of examples/stage")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--caps", type=int, nargs="+", default=[0, 96, 48], help="MiB")
    parser.add_argument("--prompt", help="measure whole pictures, by `inkstone` among the binaries")
    options = parser.parse_args()
    weights = options.pack / "weights.bin"
    what, measure = (options.prompt, picture) if options.prompt else (f"{options.stage}, {options.runs} runs", of_stage)
    print(f"{options.pack.name} {what}, weights {weights.stat().st_size / 2**20:.0f} MiB, {options.threads} threads")
    for cap in options.caps:
        print(f"  {f'{cap} MiB' if cap else 'no cap':>8}: {measure(options, weights, cap)}")


if __name__ == "__main__":
    main()
