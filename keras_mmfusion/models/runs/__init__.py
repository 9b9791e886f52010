"""Records of training runs and evaluations: settings, data and code digests, results."""
