"""The model sizes that all peers of the captioning benchmark share: those of the lite2 preset."""

import os

IMAGE_SIZE = 260
IMAGE_TOKENS = 81
IMAGE_DIM = 1280
VOCABULARY_SIZE = 2538
DIM = 384
LAYERS = 3
HEADS = 6
MLP_DIM = 1536
LENGTH = 22  # Tokens per caption; every search in the benchmark generates all of them.
CAPTIONS = 5  # Captions per image in training.
TRAINING_BATCH = 32
DROPOUT = 0.2
LABEL_SMOOTHING = 0.1
LEARNING_RATE = 8e-4
WEIGHT_DECAY = 0.05
START, END, PAD, UNKNOWN = 1, 2, 0, 3
THREADS = os.cpu_count()
