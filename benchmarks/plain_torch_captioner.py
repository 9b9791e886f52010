"""Peer of captioning.py: the captioner's decoder and its training step in plain PyTorch."""

import functools

import torch
from captioner_sizes import (
    CAPTIONS,
    DIM,
    DROPOUT,
    HEADS,
    IMAGE_DIM,
    IMAGE_TOKENS,
    LABEL_SMOOTHING,
    LAYERS,
    LEARNING_RATE,
    LENGTH,
    MLP_DIM,
    THREADS,
    TRAINING_BATCH,
    VOCABULARY_SIZE,
    WEIGHT_DECAY,
)
from peer_process import seconds, serve
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    def __init__(self, value_dim):
        super().__init__()
        self.query = nn.Linear(DIM, DIM)
        self.key = nn.Linear(value_dim, DIM)
        self.value = nn.Linear(value_dim, DIM)
        self.output = nn.Linear(DIM, DIM)

    def forward(self, query, value, causal):
        projected = (self.query(query), self.key(value), self.value(value))
        heads = (x.unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in projected)
        attended = F.scaled_dot_product_attention(*heads, is_causal=causal)
        return self.output(attended.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_norm, self.cross_norm, self.mlp_norm = (nn.LayerNorm(DIM) for _ in range(3))
        self.self_attention = Attention(DIM)
        self.cross_attention = Attention(IMAGE_DIM)
        self.mlp = nn.Sequential(nn.Linear(DIM, MLP_DIM), nn.GELU(), nn.Linear(MLP_DIM, DIM))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x, image_tokens):
        images, captions, tokens, dim = x.shape
        normed = self.self_norm(x).flatten(0, 1)
        x = x + self.dropout(self.self_attention(normed, normed, True).view(x.shape))
        normed = self.cross_norm(x).view(images, captions * tokens, dim)
        attended = self.cross_attention(normed, image_tokens, False)
        x = x + self.dropout(attended.view(x.shape))
        return x + self.dropout(self.mlp(self.mlp_norm(x)))


class Decoder(nn.Module):
    """Computes logits of captions `(images, captions, tokens)` that share the image tokens."""

    def __init__(self):
        super().__init__()
        self.token_embedding = nn.Embedding(VOCABULARY_SIZE, DIM)
        self.position_embedding = nn.Parameter(torch.randn(LENGTH, DIM) * 0.02)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        self.dropout = nn.Dropout(DROPOUT)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(DIM)

    def forward(self, captions, image_tokens):
        x = self.dropout(self.token_embedding(captions) + self.position_embedding)
        for block in self.blocks:
            x = block(x, image_tokens)
        return F.linear(self.norm(x), self.token_embedding.weight)


@functools.cache
def training_step(dtype):
    """Returns a function that trains on a batch and returns the loss."""
    torch.manual_seed(0)
    decoder = Decoder().train()
    optimizer = torch.optim.AdamW(
        decoder.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY
    )
    image_tokens = torch.randn(TRAINING_BATCH, IMAGE_TOKENS, IMAGE_DIM).clamp(0, 6)
    captions = torch.randint(VOCABULARY_SIZE, (TRAINING_BATCH, CAPTIONS, LENGTH))
    targets = torch.randint(VOCABULARY_SIZE, (TRAINING_BATCH, CAPTIONS, LENGTH))

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "mixed_bfloat16"):
            logits = decoder(captions, image_tokens)
        loss = F.cross_entropy(
            logits.float().flatten(0, 2), targets.flatten(), label_smoothing=LABEL_SMOOTHING
        )
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    serve(
        {"torch": torch.__version__},
        {"time_training": lambda dtype: seconds(training_step(dtype))},
    )
