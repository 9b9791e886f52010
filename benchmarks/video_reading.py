"""Memory and time of reading sampled frames of a long video file, next to a short one.

    python benchmarks/video_reading.py --json benchmarks/results/video_reading.json

Needs the extra `video`. Each case runs in a process of its own.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from resident_memory import peak_megabytes, resident_megabytes
from write_results import write_results

from keras_mmfusion._provenance import describe_machine
from keras_mmfusion.datasets import FramesPerSecond, KeyFrames, UniformFrames, read_video

FRAME_RATE, WIDTH, HEIGHT = 25, 640, 360
SAMPLINGS = {
    "uniform": UniformFrames(8),
    "one_per_second": FramesPerSecond(1, max_frames=512),
    "key_frames": KeyFrames(max_frames=64),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(*arguments.case)))
        return
    results = {"machine": describe_machine(), "frames": f"{WIDTH}x{HEIGHT}, {FRAME_RATE}/s"}
    with tempfile.TemporaryDirectory() as folder:
        for minutes in (1, arguments.minutes):
            path = pathlib.Path(folder) / f"{minutes}.mp4"
            write_video(path, 60 * minutes)
            results[f"{minutes} min"] = {name: run_case(path, name) for name in SAMPLINGS}
    print(json.dumps(results, indent=2))
    if arguments.json:
        write_results(arguments.json, results)


def run_case(path, name):
    command = [sys.executable, __file__, "--case", str(path), name]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def measure(path, name):
    import av  # noqa: F401  # The memory of its libraries is not counted.

    before, start = resident_megabytes(), time.perf_counter()
    video = read_video(path, SAMPLINGS[name], image_size=(224, 224))
    return {
        "frames": len(video),
        "seconds": round(time.perf_counter() - start, 2),
        "result_mb": round(video.frames.nbytes / 2**20, 1),
        "peak_mb": round(peak_megabytes() - before, 1),
    }


def write_video(path, seconds):
    """Writes a video whose picture changes once per second."""
    import av

    background = np.random.default_rng(0).integers(0, 32, (HEIGHT, WIDTH, 3), "uint8")
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=FRAME_RATE)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 250
        stream.options = {"preset": "ultrafast", "crf": "40"}
        for second in range(seconds):
            pixels = background.copy()
            pixels[:, second % 600 : second % 600 + 40] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            for _ in range(FRAME_RATE):
                frame.pts = None
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
