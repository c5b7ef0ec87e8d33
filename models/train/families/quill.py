"""Trains the transformer of `quill` on the tokens that `quill_codes` wrote.

    python -m families.quill --minutes 40

Goes on from `quill.pt`. Sheets show what is drawn for prompts, at a temperature of 1 among the 64 likeliest tokens.
"""

import numpy as np
import torch
import torch.nn.functional as F
from pictogram import sampling, training

from . import attributes, looping
from .asking import asked, designs
from .portraits import Portraits
from .quill_networks import TOKENS, Codebook, TokensDecoder, Writer

PROMPTS = [
    {}, {"smile": 1}, {"glasses": 1}, {"sunglasses": 1}, {"woman": 1, "red-hair": 1}, {"man": 1, "beard": 1}, {"blond-hair": 1, "smile": 1},
    {"sad": 1, "blue-clothes": 1}, {"pink-hair": 1}, {"dark-skin": 1, "surprised": 1},
]  # fmt: skip


def prompts(rows: list[dict]) -> torch.Tensor:
    """What the prompts ask for, prompts×attributes."""
    return torch.tensor([[float(row.get(name, 0)) for name in attributes.NAMES] for row in rows])


@torch.no_grad()
def write(network: Writer, wanted, numbers, temperature: float = 1.0, top: int = 64, seed: int = 0) -> torch.Tensor:
    """Tokens N×64 for what is asked for."""
    device = network.position.device
    generator = torch.Generator(device).manual_seed(seed)
    tokens = torch.zeros(len(numbers), TOKENS, dtype=torch.int64, device=device)
    for place in range(TOKENS):
        scores = network(tokens, wanted, numbers)[:, place].float() / temperature
        least = scores.topk(top).values[:, -1:]
        shares = torch.softmax(scores.masked_fill(scores < least, -1e9), 1)
        tokens[:, place] = torch.multinomial(shares, 1, generator=generator)[:, 0]
    return tokens


def main() -> None:
    options = looping.arguments(__doc__, minutes=40, batch=16).parse_args()
    device, portraits = training.pick_device(options.device), Portraits(options.work)
    tokens = np.load(options.work / "tokens.npy").astype(np.int64)
    decoder = TokensDecoder(looping.load(Codebook(), options.work / "codes.pt", device).decoder).to(device)
    torch.manual_seed(options.seed)

    def cross_entropy(network, chosen, wanted, numbers, mirrored):
        rows = torch.from_numpy(tokens[mirrored.astype(int), chosen]).to(device)
        scores = network(rows, wanted.to(device), numbers.to(device))
        return F.cross_entropy(scores.flatten(0, 1).float(), rows.flatten())

    def loss(network, chooser):
        chosen = chooser.choice(portraits.training, options.batch)
        wanted, numbers = asked(portraits, chosen, chooser), designs(portraits, chosen, chooser)
        error = cross_entropy(network, chosen, wanted, numbers, chooser.random(options.batch) < 0.5)
        return error, {"nats": error}

    @torch.no_grad()
    def judge(average):
        held = portraits.validation
        everything = torch.from_numpy(portraits.attributes[held]).float()
        numbers = torch.arange(len(attributes.DESIGNS) + 1, device=device).repeat_interleave(len(PROMPTS))
        drawn = write(average, prompts(PROMPTS).repeat(len(attributes.DESIGNS) + 1, 1).to(device), numbers)
        sampling.sheet(decoder(drawn), options.work / "quill.png", len(PROMPTS), 1)
        return {"held_nats": cross_entropy(average, held, everything, torch.from_numpy(portraits.designs[held]), np.zeros(len(held), bool)).item()}

    looping.run(Writer(), options, "quill", loss, judge)


if __name__ == "__main__":
    main()
