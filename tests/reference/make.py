"""Stores what onnxruntime computes on the shipped pack's very files; `tests/parity.rs` compares the engine with it.

    python -m venv .venv && .venv/bin/pip install onnx onnxruntime numpy tokenizers safetensors
    .venv/bin/python tests/reference/make.py models/pictogram

The graphs are opened as they are: onnxruntime runs the int8 layers as the standard ONNX functions by which the
pack defines them. Writes `tests/reference/pictogram.safetensors` with `STAGE/CASE/in/NAME` and
`STAGE/CASE/out/NAME`.
"""

import sys
import tomllib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import save_file
from tokenizers import Tokenizer

CASES = [("a red apple", 1, 0.0), ("красное яблоко", 5, 0.4), ("", 9, 0.69)]


def main() -> None:
    pack = Path(sys.argv[1])
    manifest = tomllib.loads((pack / "pack.toml").read_text(encoding="utf-8"))
    sessions = {}
    for name, stage in manifest["stages"].items():
        onnx.checker.check_model(str(pack / stage["graph"]), full_check=True)
        sessions[name] = onnxruntime.InferenceSession(pack / stage["graph"], providers=["CPUExecutionProvider"])
    tokenizer, limit = Tokenizer.from_file(str(pack / "tokenizer.json")), manifest["prompt"]["max_tokens"]
    stored: dict[str, np.ndarray] = {}

    def run(stage: str, case: int, values: dict) -> dict:
        session = sessions[stage]
        feed = {port.name: values[port.name] for port in session.get_inputs()}
        results = dict(zip([port.name for port in session.get_outputs()], session.run(None, feed)))
        for kind, tensors in (("in", feed), ("out", results)):
            stored.update({f"{stage}/{case}/{kind}/{name}": np.ascontiguousarray(value) for name, value in tensors.items()})
        return results

    for case, (prompt, style, time) in enumerate(CASES):
        ids = tokenizer.encode(prompt).ids[:limit]
        noise = np.random.default_rng(case).standard_normal((1, 4, 32, 32)).astype(np.float32)
        values = {
            "ids": np.array([ids + [manifest["prompt"]["padding"]] * (limit - len(ids))], np.int64),
            "style": np.array([style], np.int64),
            "time": np.array([0], np.float32),
            "picture": noise,
        }
        values |= run("text_encoder", case, values)
        (clean,) = run("denoiser", case, values).values()
        # Noise alone is not what the denoiser is given at later times.
        values |= {"time": np.array([time], np.float32), "picture": (noise + time * (clean - noise)).astype(np.float32)}
        (clean,) = run("denoiser", case, values).values()
        (drawn,) = run("decoder", case, values | {"picture": clean.clip(-1, 1)}).values()
        # One case: its pictures are large.
        if case == 0:
            run("enlarger", case, {"picture": drawn.clip(0, 1)})
    out = Path(__file__).with_name("pictogram.safetensors")
    save_file(stored, out, metadata={"onnxruntime": onnxruntime.__version__, "pack": manifest["version"]})
    print(f"{out.name}: {len(stored)} tensors, onnxruntime {onnxruntime.__version__}")


if __name__ == "__main__":
    main()
