"""The model of images and texts, trained end to end with InfoNCE and 1,024 pairs a batch."""

from embedder import EmbedderPlan, train_embedder

NEEDS = {"encoders": ["efficientnet_lite2_imagenet"], "text": True}


def run(budget_seconds, out):
    train_embedder(EmbedderPlan("image_text_info_nce", "InfoNCELoss"), budget_seconds, out)
