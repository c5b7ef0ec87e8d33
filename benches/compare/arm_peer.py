"""Counts the ARM instructions of one run of an ONNX graph by onnxruntime, under qemu: what `arm.py` is compared with.

    sudo python arm_peer.py unet.onnx            (f32, and quantized by onnxruntime itself)

The first run makes a small 64-bit ARM Debian with Python and numpy (`mmdebstrap`, as root) and unpacks onnxruntime's
wheel beside it, in `~/.cache/inkstone` or `$INKSTONE_CACHE`.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from arm import HERE, PROCESSORS, count
from graph import quantize

# Later wheels crash at import under Debian bookworm's qemu 7.2.
VERSION = "1.22.1"
WHEELS = ["manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64"]
PACKAGES = "python3-minimal,python3,libstdc++6,libgcc-s1,python3-numpy"
RUN = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
random = numpy.random.RandomState(0)
inputs = {port.name: random.randn(*port.shape).astype(numpy.float32) for port in session.get_inputs()}
for _ in range(int(sys.argv[2])):
    session.run(None, inputs)
"""


def debian_mirror() -> str:
    """Where this machine's own packages come from."""
    lines = Path("/etc/apt/sources.list.d/debian.sources").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("URIs"))


def prepare(cache: Path) -> tuple[Path, Path]:
    """The ARM system's root and the folder with onnxruntime."""
    root, site, done = cache / "arm64", cache / "arm64-site", cache / f"arm64-onnxruntime-{VERSION}"
    if not done.exists():
        cache.mkdir(parents=True, exist_ok=True)
        include, source = f"--include={PACKAGES}", f"deb {debian_mirror()} bookworm main"
        subprocess.run(["mmdebstrap", "--arch=arm64", "--variant=extract", include, "bookworm", root, source], check=True)
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
        platforms = [word for name in WHEELS for word in ("--platform", name)]
        subprocess.run([*pip, "--implementation", "cp", *platforms, "--target", site, f"onnxruntime=={VERSION}"], check=True)
        done.touch()
    return root, site


def command(root: Path, site: Path, script: Path, model: Path, runs: int) -> list:
    libraries = root / "usr/lib/aarch64-linux-gnu"
    variables = {
        "PYTHONHOME": f"{root}/usr",
        "PYTHONPATH": f"{site}:{root}/usr/lib/python3/dist-packages",
        "LD_LIBRARY_PATH": f"{libraries}:{root}/lib/aarch64-linux-gnu:{libraries}/blas:{libraries}/lapack",
    }
    options = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
    return [*options, root / "usr/bin/python3.11", script, model, runs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--processors", nargs="+", default=PROCESSORS)
    options = parser.parse_args()
    root, site = prepare(Path(os.environ.get("INKSTONE_CACHE", Path.home() / ".cache/inkstone")))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plugin, script, quantized = folder / "libinstructions.so", folder / "run.py", folder / "int8.onnx"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", plugin, HERE / "instructions.c"], check=True)
        script.write_text(RUN)
        quantize(options.model, quantized)
        print(f"onnxruntime {VERSION}, {options.model.name}, one thread, millions of instructions")
        for processor in options.processors:
            for kind, model in (("f32", options.model.resolve()), ("int8", quantized)):
                totals = [
                    count(plugin, command(root, site, script, model, runs), processor, folder / f"{runs}.txt", root)["total"] for runs in (1, 3)
                ]
                print(f"  {processor:<11} {kind:<5} {(totals[1] - totals[0]) / 2e6:7.1f}", flush=True)


if __name__ == "__main__":
    main()
