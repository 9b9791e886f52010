"""Samples with ties and censoring."""

import numpy as np


def make_samples(seed, samples=120):
    """Returns times, events and risks; times are tied among events and with censoring."""
    rng = np.random.default_rng(seed)
    risks = rng.normal(size=samples).round(1)
    times = np.ceil(rng.exponential(20 * np.exp(-risks))).clip(max=60)
    return times, rng.random(samples) < 0.6, risks
