"""Trains the captioner with EfficientNet-Lite2 end to end."""

from captioner import CaptionerPlan, train_captioner

NEEDS = {"encoders": ["efficientnet_lite2_imagenet"]}


def run(budget_seconds, out):
    plan = CaptionerPlan("captioner_flickr8k_lite2", "efficientnet_lite2_imagenet")
    train_captioner(plan, budget_seconds, out)
