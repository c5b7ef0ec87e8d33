"""Trains what draws latents of `blend` for what is asked for, and finds the directions of attributes.

    python -m families.blend_prior --minutes 6

Needs a finished `blend.pt`. A small network learns the flow from noise to the latents of the training pictures (Lipman et al. 2022, arXiv
2210.02747); directions are the coefficients of a ridge regression of latents on attributes, one for each design. Goes on from `prior.pt`;
writes `directions.pt` at the end.
"""

import numpy as np
import torch
import torch.nn.functional as F
from pictogram import sampling, training
from torch import nn

from . import attributes, looping
from .asking import asked, designs
from .blend_networks import LATENT, Autoencoder, Decoder, Editor, Flow, Prior
from .portraits import Portraits
from .quill import PROMPTS, prompts

# Share of the posterior's noise that is learned, too: all of it would draw as ghosts.
BLUR = 0.3
# How much coefficients are held back, in pictures.
RIDGE = 10.0


@torch.no_grad()
def encode(model: Autoencoder, portraits: Portraits, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Means and standard deviations of all portraits' latents, both N×128."""
    everything = np.arange(len(portraits.rows))
    parts = [model.encoder(portraits.batch(part, device)) for part in np.array_split(everything, -(-len(everything) // 64))]
    return torch.cat([mean for mean, _ in parts]), torch.cat([(0.5 * spread).exp() for _, spread in parts])


def directions(latents: torch.Tensor, values: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Designs × attributes × 128: what a picture's latent changes by when it gains an attribute. 0 where a design has none of it."""
    found = []
    for design in range(1, len(attributes.DESIGNS) + 1):
        chosen = numbers == design
        given, wanted = values[chosen], latents[chosen]
        given, wanted = given - given.mean(0), wanted - wanted.mean(0)
        gram = given.T @ given + RIDGE * torch.eye(given.shape[1], device=given.device)
        # From -1 to 1 are two steps.
        coefficients = 2 * torch.linalg.solve(gram, given.T @ wanted)
        known = (values[chosen] > 0).any(0) & (values[chosen] < 0).any(0)
        found.append(coefficients * known[:, None])
    return torch.stack(found)


def classifier(latents: torch.Tensor, numbers: torch.Tensor, steps: int = 400) -> nn.Linear:
    """Tells a latent's design, counted from 0."""
    layer = nn.Linear(LATENT, len(attributes.DESIGNS)).to(latents.device)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.03)
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(layer(latents), numbers - 1).backward()
        optimiser.step()
    return layer.requires_grad_(False)


@torch.no_grad()
def draw(flow: Flow, decoder: Decoder, scale, shift, rows: torch.Tensor, numbers: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Pictures for what is asked for, as the pack draws them."""
    prior = Prior(flow, scale, shift)
    noise = torch.randn(len(rows), LATENT, generator=torch.Generator().manual_seed(seed)).to(rows.device)
    return torch.cat([decoder(part) for part in prior(noise, rows, numbers).split(32)])


def main() -> None:
    options = looping.arguments(__doc__, minutes=6, batch=256).parse_args()
    device, portraits = training.pick_device(options.device), Portraits(options.work)
    model = looping.load(Autoencoder(), options.work / "blend.pt", device)
    means, spreads = encode(model, portraits, device)
    known = torch.from_numpy(portraits.training).to(device)
    shift, scale = means[known].mean(0), means[known].std(0).clamp_min(1e-3)
    torch.manual_seed(options.seed)

    def loss(network, chooser):
        chosen = chooser.choice(portraits.training, options.batch)
        latents = means[chosen] + BLUR * spreads[chosen] * torch.randn(len(chosen), LATENT, device=device)
        clean, noise, time = (latents - shift) / scale, torch.randn(len(chosen), LATENT, device=device), torch.rand(len(chosen), device=device)
        mixed = noise + (clean - noise) * time[:, None]
        wanted, numbers = asked(portraits, chosen, chooser).to(device), designs(portraits, chosen, chooser).to(device)
        error = (network(mixed, time, wanted, numbers) - (clean - noise)).square().mean()
        return error, {"error": error}

    def judge(average):
        numbers = torch.arange(len(attributes.DESIGNS) + 1, device=device).repeat_interleave(len(PROMPTS))
        rows = prompts(PROMPTS).repeat(len(attributes.DESIGNS) + 1, 1).to(device)
        sampling.sheet(draw(average, model.decoder, scale, shift, rows, numbers), options.work / "prior.png", len(PROMPTS), 1)
        return {}

    looping.run(Flow(), options, "prior", loss, judge)
    numbers = torch.from_numpy(portraits.designs).to(device)
    values = torch.from_numpy(portraits.attributes).float().to(device)
    found = directions(means[known], values[known], numbers[known])
    layer = classifier(means[known], numbers[known])
    right = (layer(means).argmax(1) + 1 == numbers).float().mean().item()
    training.save(options.work / "directions.pt", directions=found.cpu(), design=layer.state_dict(), scale=scale.cpu(), shift=shift.cpu())
    print(f"the design of {right:.1%} of all pictures is told by their latents")
    edits(model, layer, found, means, portraits, options.work / "edits.png")


@torch.no_grad()
def edits(model: Autoencoder, layer: nn.Linear, found: torch.Tensor, means: torch.Tensor, portraits: Portraits, path) -> None:
    """A sheet of pictures kept for judging, each as it is and with attributes."""
    names = ["smile", "glasses", "beard", "red-hair", "blue-hair", "bald", "dark-skin"]
    amounts = prompts([{}, *({name: 1} for name in names)]).to(means.device)
    editor, rows = Editor(layer, found), []
    for index in portraits.validation[:12]:
        latents = torch.cat([editor(means[index : index + 1], amounts[number : number + 1]) for number in range(len(amounts))])
        rows += [portraits.batch(np.array([index]), str(means.device)), model.decoder(latents)]
    sampling.sheet(torch.cat(rows), path, len(names) + 2, 1)


if __name__ == "__main__":
    main()
