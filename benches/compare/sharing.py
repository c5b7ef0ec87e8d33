"""What is lost when threads share a run, by Inkstone and by onnxruntime on the same graph; README.md beside this file says how."""

import argparse
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import onnx
import onnxruntime

from graph import Noise, called, quantize

# The first run of a round is not counted, as in threads.rs.
RUNS = 4


def session(model: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def milliseconds(one: onnxruntime.InferenceSession, feed: dict) -> float:
    """Of a round's run."""
    one.run(None, feed)
    started = time.perf_counter()
    for _ in range(RUNS - 1):
        one.run(None, feed)
    return (time.perf_counter() - started) * 1e3 / (RUNS - 1)


def side_by_side(sessions: list, feed: dict) -> float:
    """In which one run is done on the average while all sessions run."""
    barrier, times = threading.Barrier(len(sessions)), [0.0] * len(sessions)

    def measure(index: int) -> None:
        barrier.wait()
        times[index] = milliseconds(sessions[index], feed)

    started = [threading.Thread(target=measure, args=(index,)) for index in range(len(sessions))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return 1 / sum(1 / value for value in times)


def quartiles(values: list[float]) -> dict:
    return dict(zip(("quartiles", "median"), ([statistics.quantiles(values)[0], statistics.quantiles(values)[2]], statistics.median(values))))


def by_onnxruntime(model: Path, threads: int, rounds: int) -> dict:
    """The figures of threads.rs."""
    feed = Noise(onnx.load(model, load_external_data=False).graph, 1).draw()
    alone, together = [session(model, 1) for _ in range(threads)], session(model, threads)
    measured = [(milliseconds(alone[0], feed), side_by_side(alone, feed), milliseconds(together, feed)) for _ in range(rounds)]
    one, apart, shared = zip(*measured)
    gain, kept = [a / b for a, b in zip(one, shared)], [a / b for a, b in zip(apart, shared)]
    kinds = {"one_thread_milliseconds": one, "apart_milliseconds": apart, "together_milliseconds": shared, "gain": gain, "of_apart": kept}
    return {kind: quartiles(list(values)) for kind, values in kinds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="an f32 ONNX graph with fixed shapes")
    parser.add_argument("--binaries", type=Path, default=Path("target/release"), help="folder of inkstone-quantize and examples/threads")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pack, int8 = Path(folder) / "pack", Path(folder) / "int8.onnx"
        subprocess.run([options.binaries / "inkstone-quantize", options.model, "--out", pack], check=True, stdout=subprocess.DEVNULL)
        quantize(options.model, int8)
        program = options.binaries / "examples" / "threads"
        found = {
            "inkstone": called(program, pack, "--threads", options.threads, "--rounds", options.rounds),
            "onnxruntime int8": by_onnxruntime(int8, options.threads, options.rounds),
        }
    for name, report in found.items():
        shown = lambda kind: "{:.2f} ({:.2f}–{:.2f})".format(report[kind]["median"], *report[kind]["quartiles"])  # noqa: E731, B023
        print(f"{name:<17} one thread {shown('one_thread_milliseconds')} ms, {options.threads} {shown('together_milliseconds')} ms:", end=" ")
        print(f"{shown('gain')} times as fast, {shown('of_apart')} of runs side by side")


if __name__ == "__main__":
    main()
