"""Adds a stage that was quantized by itself to a pack, whose other stages keep their bytes.

    python -m pictogram.export --only enlarger --out work/enlarger
    inkstone-quantize work/enlarger --out work/enlarger-int8 --keep base --force
    python -m pictogram.add_stage --stage enlarger --source work/enlarger-int8 --pack ../pictogram

The stage's weights are appended to the pack's, so that it can be added once; a pack that has the stage already is refused.
"""

import argparse
import hashlib
import os
import re
import tomllib
from pathlib import Path

import onnx

# Every tensor begins at a multiple of this in the weights' file.
ALIGNMENT = 64
WEIGHTS = "weights.bin"


def moved(graph: bytes, by: int) -> bytes:
    """The graph, with its external data so many bytes further on."""
    model = onnx.load_from_string(graph)
    for initializer in model.graph.initializer:
        for entry in initializer.external_data:
            if entry.key == "offset":
                entry.value = str(int(entry.value) + by)
    return model.SerializeToString(deterministic=True)


def tables(manifest: str) -> list[tuple[str, str]]:
    """The manifest's parts, each with the name that the first brackets in it give; a stage's ports belong to the stage."""
    parts = re.split(r"(?m)^(?=\[)", manifest)
    named: list[tuple[str, str]] = []
    for part in parts:
        name = (re.match(r"\[+([^\]]*)", part) or [None, ""])[1]
        if named and name.startswith(named[-1][0] + ".") and name.startswith("stages."):
            named[-1] = (named[-1][0], named[-1][1] + part)
        else:
            named.append((name, part))
    return named


def record(path: Path) -> str:
    data = path.read_bytes()
    return f'[files."{path.name}"]\nbytes = {len(data)}\nsha256 = "{hashlib.sha256(data).hexdigest()}"\n\n'


def with_stage(manifest: str, source: str, stage: str, files: list[Path]) -> str:
    """The manifest with the table of a stage of another one, among the others by name, and new records of files."""
    name = f"stages.{stage}"
    added = next(part for part in tables(source) if part[0] == name)
    kept = [part for part in tables(manifest) if not part[0].startswith("files.")]
    place = next((at for at, (other, _) in enumerate(kept) if other.startswith("stages.") and other > name), len(kept))
    parts = [*kept[:place], added, *kept[place:]]
    body = "\n\n".join(text.strip() for _, text in parts) + "\n\n"
    return body + "".join(record(path) for path in sorted(files, key=lambda path: path.name)).rstrip() + "\n"


def write(path: Path, data: bytes) -> None:
    """A file is whole or absent: written beside, synced, renamed."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--source", type=Path, required=True, help="pack that has the stage")
    parser.add_argument("--pack", type=Path, required=True, help="pack that gets it")
    options = parser.parse_args()
    manifests = [(folder / "pack.toml").read_text(encoding="utf-8") for folder in (options.pack, options.source)]
    known, given = (tomllib.loads(text) for text in manifests)
    if options.stage in known["stages"]:
        raise SystemExit(f"{options.pack} has a stage '{options.stage}' already: start from the pack without it")
    graph = given["stages"][options.stage]["graph"]
    weights = (options.pack / WEIGHTS).read_bytes()
    weights += bytes(-len(weights) % ALIGNMENT)
    # The manifest comes last: until it is there, the pack's checksums do not fit and nobody opens it.
    write(options.pack / graph, moved((options.source / graph).read_bytes(), len(weights)))
    write(options.pack / WEIGHTS, weights + (options.source / WEIGHTS).read_bytes())
    files = [options.pack / name for name in {*known["files"], graph}]
    write(options.pack / "pack.toml", with_stage(*manifests, options.stage, files).encode())


if __name__ == "__main__":
    main()
