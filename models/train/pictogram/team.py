"""Several processes that train one network, started by `torchrun`; alone, everything here does nothing.

    torchrun --nproc-per-node 2 -m pictogram.train --minutes 5

Every process makes batches of its own and the gradients are averaged, so that the batch is as many times larger. All start from
the weights of the first, which alone saves and reports and whose clock is everybody's. Gloo on CPUs, NCCL on GPUs.
"""

import os

import torch
import torch.distributed as dist
from torch import nn


class Team:
    def __init__(self, device: str):
        self.size, self.rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        self.device = device
        if self.size > 1:
            if device == "cuda":
                torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
            dist.init_process_group("nccl" if device == "cuda" else "gloo")

    @property
    def leads(self) -> bool:
        """Whether this is the process that saves and reports."""
        return self.rank == 0

    def align(self, *networks: nn.Module) -> None:
        """Gives all processes the first one's weights."""
        for network in networks if self.size > 1 else ():
            for tensor in [*network.parameters(), *network.buffers()]:
                dist.broadcast(tensor.detach(), 0)

    @torch.no_grad()
    def average_gradients(self, parameters: list[nn.Parameter]) -> None:
        """All gradients travel as one row: one message costs less than hundreds."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        row = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(row)
        row /= self.size
        for gradient, part in zip(gradients, row.split([gradient.numel() for gradient in gradients])):
            gradient.copy_(part.view_as(gradient))

    def agreed(self, value: float) -> float:
        """The first process's value, for everybody."""
        if self.size == 1:
            return value
        row = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(row, 0)
        return row.item()

    def close(self) -> None:
        if self.size > 1:
            dist.barrier()
            dist.destroy_process_group()
