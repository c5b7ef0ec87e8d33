import os
import socket
import unittest

import torch
import torch.multiprocessing as multiprocessing
from torch import nn

from pictogram.team import Team


def member(rank: int, port: int, results) -> None:
    """One of two processes: starts from other weights and other gradients than the other."""
    os.environ |= {"WORLD_SIZE": "2", "RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    team, layer = Team("cpu"), nn.Linear(2, 1)
    nn.init.constant_(layer.weight, rank + 1.0)
    team.align(layer)
    layer.weight.grad = torch.full_like(layer.weight, float(rank))
    team.average_gradients(list(layer.parameters()))
    results[rank] = (layer.weight[0, 0].item(), layer.weight.grad[0, 0].item(), team.agreed(rank + 5.0), team.leads)
    team.close()


class Two(unittest.TestCase):
    def test_start_alike_and_share_gradients(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with multiprocessing.Manager() as manager:
            results = manager.dict()
            multiprocessing.spawn(member, (port, results), nprocs=2)
            self.assertEqual(dict(results), {0: (1.0, 0.5, 5.0, True), 1: (1.0, 0.5, 5.0, False)})


class Alone(unittest.TestCase):
    def test_does_nothing(self):
        team, layer = Team("cpu"), nn.Linear(2, 1)
        layer.weight.grad = torch.ones_like(layer.weight)
        team.average_gradients(list(layer.parameters()))
        self.assertEqual((team.agreed(3.0), team.leads, layer.weight.grad.sum().item()), (3.0, True, 2.0))


if __name__ == "__main__":
    unittest.main()
