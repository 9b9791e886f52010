"""Peer of graph_layers.py: seconds and peak memory of a training step in a new process."""

import json
import resource
import sys

from graph_layers_keras import training

if __name__ == "__main__":
    from peer_process import seconds

    step = training(sys.argv[1])
    step()
    taken = min(seconds(step) for _ in range(int(sys.argv[2])))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": taken, "peak_bytes": peak}))
