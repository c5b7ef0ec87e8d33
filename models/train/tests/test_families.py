import unittest

import numpy as np
import torch

from families import attributes, blend, blend_networks, blend_prior, quill_networks
from pictogram import rounding


def row(design: str, concept: str = "woman", **values) -> dict:
    return {"style": design, "concept": concept, "attributes": values}


class Attributes(unittest.TestCase):
    def test_captions_become_numbers(self):
        rows = [
            row("micah", hair="long red hair", hair_colour="red", wears="sunglasses", expression="smiling"),
            row("micah", concept="man", hair="bald head", wears="round glasses", expression="sad"),
            row("fun-emoji", concept="face", colour="yellow", expression="sad"),
        ]
        values = attributes.values(rows)
        value = lambda index, name: values[index, attributes.NAMES.index(name)]  # noqa: E731
        self.assertEqual([value(0, name) for name in ("woman", "red-hair", "long-hair", "smile", "sunglasses", "glasses")], [1, 1, 1, 1, 1, -1])
        self.assertEqual([value(1, name) for name in ("man", "bald", "glasses", "sunglasses", "sad")], [1, 1, 1, -1, 1])
        # No picture of that design has hair, so that nothing is said about it.
        self.assertEqual([value(2, name) for name in ("red-hair", "bald", "sad")], [0, 0, 1])

    def test_no_words_ask_for_two_attributes(self):
        words = [word for attribute in attributes.ATTRIBUTES for word in attribute.words]
        self.assertEqual(len(words), len(set(words)))
        self.assertEqual(len(attributes.NAMES), len(set(attributes.NAMES)))


class Blend(unittest.TestCase):
    def test_begins_as_principal_components(self):
        torch.manual_seed(0)
        side = blend_networks.DRAFT
        parts = torch.randn(6, 4 * side**2)
        drafts = torch.randn(300, 6) @ parts * 0.1
        pictures = drafts.unflatten(1, (4, side, side)).repeat_interleave(2, 2).repeat_interleave(2, 3)
        seen = blend_networks.shrunk(pictures, blend_networks.SEEN).flatten(1)
        model = blend_networks.Autoencoder()
        latents = blend_networks.LATENT
        # Six parts need six numbers; the others are noise of next to no size.
        with torch.no_grad():
            model.begin(seen, drafts)
            mean = model.encoder(pictures[:40])[0]
            model.encoder.mean.weight[6:] = 0
            model.encoder.mean.bias[6:] = 0
            made = model.decoder(model.encoder(pictures[:40])[0])
        self.assertEqual(mean.shape, (40, latents))
        self.assertLess(((made - pictures[:40]).square().mean() / pictures.square().mean()).item(), 1e-3)
        self.assertLess((mean[:, :6].std(0) - 1).abs().max().item(), 0.5)

    def test_equal_pictures_differ_by_nothing(self):
        pictures = torch.rand(2, 4, 16, 16) * 2 - 1
        self.assertEqual(blend.difference(pictures, pictures).item(), 0)
        self.assertGreater(blend.difference(pictures, pictures + 0.1).item(), 0.1)
        self.assertAlmostEqual(blend.psnr(pictures * 0.5, pictures * 0.5 + 0.2).mean().item(), 20, places=3)

    def test_directions_are_differences(self):
        torch.manual_seed(1)
        values = torch.where(torch.rand(4000, len(attributes.NAMES)) < 0.5, 1.0, -1.0)
        values[:, 3] = 0
        numbers = torch.arange(4000) % len(attributes.DESIGNS) + 1
        wanted = torch.randn(len(attributes.NAMES), blend_networks.LATENT)
        found = blend_prior.directions(values @ wanted / 2, values, numbers)
        others = [index for index in range(len(attributes.NAMES)) if index != 3]
        self.assertLess((found[:, others] - wanted[others]).abs().max().item(), 0.2)
        self.assertEqual(found[:, 3].abs().max().item(), 0)

    def test_the_editor_moves_along_the_design_of_the_latent(self):
        design = torch.nn.Linear(blend_networks.LATENT, len(attributes.DESIGNS))
        with torch.no_grad():
            design.weight.zero_()
            design.bias.copy_(torch.tensor([0.0, 0, 50, 0, 0, 0]))
        directions = torch.randn(len(attributes.DESIGNS), len(attributes.NAMES), blend_networks.LATENT)
        amounts = torch.zeros(1, len(attributes.NAMES))
        amounts[0, 5] = -2
        moved = blend_networks.Editor(design, directions)(torch.zeros(1, blend_networks.LATENT), amounts)
        self.assertTrue(torch.allclose(moved[0], -2 * directions[2, 5], atol=1e-5))

    def test_settles_on_the_grid_of_int8(self):
        model = blend_networks.Autoencoder()
        rounding.round_layers(model)
        rounding.settle(model)
        self.assertTrue(rounding.is_settled(model))


class Quill(unittest.TestCase):
    def test_tokens_stand_for_what_they_were_made_of(self):
        quantizer = quill_networks.Quantizer()
        h = torch.randn(3, len(quill_networks.LEVELS), quill_networks.SIDE, quill_networks.SIDE) * 2
        levels, tokens = quantizer(h), quantizer.tokens(h).long()
        self.assertTrue(((0 <= tokens) & (tokens < quill_networks.CODES)).all())
        again = quill_networks.table()[tokens].transpose(1, 2).unflatten(2, (quill_networks.SIDE, quill_networks.SIDE))
        self.assertTrue(torch.allclose(levels, again, atol=1e-5))

    def test_one_token_at_a_time_gives_what_all_at_once_do(self):
        torch.manual_seed(2)
        writer = quill_networks.Writer(width=32, depth=2, heads=2).eval()
        for parameter in writer.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
        tokens = torch.from_numpy(np.random.default_rng(0).integers(0, quill_networks.CODES, (1, quill_networks.TOKENS)))
        asked, style = torch.randn(1, len(attributes.NAMES)), torch.tensor([2])
        step = quill_networks.Step(writer)
        with torch.no_grad():
            whole = writer(tokens, asked, style)
            state = torch.zeros(1, 4, quill_networks.TOKENS, 32)
            before = torch.zeros(1, dtype=torch.int64)
            for place in range(quill_networks.TOKENS):
                scores, state = step(before, torch.tensor([float(place)]), asked, style, state)
                self.assertLess((scores[0] - whole[0, place]).abs().max().item(), 1e-3)
                before = tokens[:, place] + 1


if __name__ == "__main__":
    unittest.main()
