"""Trains the captioner with EfficientNet-Lite0 end to end."""

from captioner import CaptionerPlan, train_captioner

NEEDS = {"encoders": ["efficientnet_lite0_imagenet"]}


def run(budget_seconds, out):
    plan = CaptionerPlan("captioner_flickr8k_lite0", "efficientnet_lite0_imagenet")
    train_captioner(plan, budget_seconds, out)
