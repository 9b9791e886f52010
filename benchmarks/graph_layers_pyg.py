"""Peer of graph_layers.py: the same training step with PyTorch Geometric."""

import functools
import os

import torch
import torch_geometric
from graph_data import CLASSES, HIDDEN, LEARNING_RATE, read_graph
from peer_process import seconds, serve
from torch.nn import functional as F
from torch_geometric.nn import GCNConv


class GCN(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.hidden = GCNConv(dim, HIDDEN, cached=True)
        self.output = GCNConv(HIDDEN, CLASSES, cached=True)

    def forward(self, x, edge_index):
        return self.output(F.relu(self.hidden(x, edge_index)), edge_index)


@functools.cache
def training(path, entries=False):
    data = {key: torch.from_numpy(value) for key, value in read_graph(path).items()}
    x, edge_index, labels = data["features"], data["edge_index"].long(), data["labels"].long()
    if entries:
        x = x.to_sparse_csr()
    torch.manual_seed(0)
    model = GCN(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)

    def step():
        optimizer.zero_grad()
        losses = F.cross_entropy(model(x, edge_index), labels, reduction="none")
        loss = (losses * data["share"]).sum()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    torch.set_num_threads(os.cpu_count())
    serve(
        {"torch": torch.__version__, "torch_geometric": torch_geometric.__version__},
        {"time_step": lambda steps, **graph: seconds(training(**graph), steps)},
    )
