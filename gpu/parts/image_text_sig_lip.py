"""Trains the image-text model end to end with the SigLIP loss and 1,024 pairs per batch."""

from embedder import EmbedderPlan, train_embedder

NEEDS = {"encoders": ["efficientnet_lite2_imagenet"], "text": True}


def run(budget_seconds, out):
    train_embedder(EmbedderPlan("image_text_sig_lip", "SigLIPLoss"), budget_seconds, out)
