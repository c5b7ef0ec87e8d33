"""Reads a pack's int8 weights back into the networks, so that no run has to start from zero again."""

from pathlib import Path


def load_pack(folder: Path, model) -> None:
    raise SystemExit("placeholder")
