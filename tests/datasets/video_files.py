"""Writes small videos whose frames show their index."""

import numpy as np

HEIGHT, WIDTH = 32, 48


def make_frames(count):
    """Frames of gray `6 * index` with a bright left and a noisy middle part: uint8."""
    frames = np.empty((count, HEIGHT, WIDTH, 3), "uint8")
    frames[:] = 6 * np.arange(count)[:, None, None, None]
    frames[:, :, :8] = 250
    frames[:, :, 8:24] = np.random.default_rng(0).integers(0, 256, (count, HEIGHT, 16, 1))
    return frames


def write_video(path, frames, codec="libx264", frame_rate=12, key_frame_interval=10, format=None):
    """Writes a video file by PyAV, with B-frames if the codec has them."""
    import av

    with av.open(path, "w", format=format, options={"movflags": "faststart"}) as container:
        stream = container.add_stream(codec, rate=frame_rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size, stream.bit_rate = key_frame_interval, 2_000_000
        stream.codec_context.thread_count = 1
        if codec == "libx264":
            stream.options = {"preset": "ultrafast", "bf": "2", "crf": "18", "sc_threshold": "0"}
        elif codec == "libvpx":
            stream.options = {"qmax": "8", "qmin": "0"}
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
