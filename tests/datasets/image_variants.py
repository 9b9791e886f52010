"""Creates small image files of every variant of a format, with Pillow or byte by byte."""

import io
import itertools
import struct
import zlib

import numpy as np
from photos import photo
from PIL import Image

SIZE = (11, 13)  # Odd, so that rows of every depth need padding.
ORIENTATION = 0x0112
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="%d"/></x:xmpmeta>'


def encode(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation, endian="<", kind=3):
    """Returns a TIFF header with a camera name and an orientation, a BYTE, SHORT (3) or LONG."""
    value = struct.pack(endian + {1: "B3x", 3: "H2x", 4: "I"}[kind], orientation)
    entries = struct.pack(endian + "HHI", 0x010F, 2, 4) + b"abc\0"
    entries += struct.pack(endian + "HHI", ORIENTATION, kind, 1) + value
    order = b"II" if endian == "<" else b"MM"
    return order + struct.pack(endian + "HIH", 42, 8, 2) + entries + bytes(4)


def draw_image(mode="RGB"):
    image = Image.fromarray(photo(*SIZE))
    if "A" in mode:
        image.putalpha(Image.fromarray(photo(*SIZE, phase=1.0)[..., 1]))
    return image.convert(mode)


# PNG


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(color, depth, before=(), after=(), interlaced=False, values=None):
    """Returns a PNG file of random pixels.

    Args:
        color: int. 0: gray, 2: RGB, 3: palette, 4: gray with alpha, 6: RGBA.
        depth: int. Bits per channel.
        before, after: lists of `(kind, body)`. Chunks before and after the pixels.
        interlaced: bool. Whether to use Adam7.
        values: int array `(height, width, channels)`, or `None`.
    """
    height, width = SIZE
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    if values is None:
        rng = np.random.default_rng(depth + color)
        values = rng.integers(2**depth, size=(height, width, channels))
        values[:2] = values[0, 0]  # Two rows of the color that can be the transparent one.
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
        passes += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    raw = b""
    for row, column, rows, columns in passes:
        for line in values[row::rows, column::columns]:
            bits = (line.reshape(-1, 1) >> np.arange(depth)[::-1]) & 1
            raw += b"\0" + np.packbits(bits.astype("uint8")).tobytes()
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(raw)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def png_files():
    rng = np.random.default_rng(0)
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    for color, color_depths in depths.items():
        for depth, interlaced in itertools.product(color_depths, (False, True)):
            name = f"png color={color} depth={depth} interlaced={interlaced}"
            palette = [(b"PLTE", rng.bytes(3 * 2**depth))] if color == 3 else []
            yield name, png(color, depth, palette, interlaced=interlaced)
            if color in (4, 6):
                continue
            first = np.random.default_rng(depth + color).integers(
                2**depth, size=(*SIZE, 3 if color == 2 else 1)
            )[0, 0]
            clear = rng.bytes(2**depth) if color == 3 else struct.pack(f">{len(first)}H", *first)
            clear = [(b"tRNS", clear)]
            yield f"{name} tRNS", png(color, depth, palette + clear, interlaced=interlaced)
    palette = [(b"PLTE", rng.bytes(3 * 256))]
    yield "png one clear color", png(3, 8, [*palette, (b"tRNS", b"\xff" * 7 + b"\0")])
    yield "png short tRNS", png(3, 8, [*palette, (b"tRNS", rng.bytes(100))])
    yield "png short palette", png(3, 8, [(b"PLTE", rng.bytes(30))], values=_small(10))
    dark = rng.integers(200, size=(*SIZE, 1))
    yield "png dark gray of 16 bits", png(0, 16, values=dark)
    yield "png gamma", png(2, 8, [(b"gAMA", struct.pack(">I", 100000))])
    for orientation, endian in itertools.product((1, 3, 6, 8), "<>"):
        chunk = [(b"eXIf", exif(orientation, endian))]
        yield f"png eXIf {orientation} {endian}", png(2, 8, chunk)
        yield f"png eXIf {orientation} {endian} behind", png(2, 8, after=chunk)
    profile = b"\nexif\n%8d\n%s\n" % (6 + len(exif(6)), (b"Exif\0\0" + exif(6)).hex().encode())
    name = b"Raw profile type exif\0"
    yield "png raw profile", png(2, 8, [(b"tEXt", name + profile)])
    yield "png packed raw profile", png(2, 8, [(b"zTXt", name + b"\0" + zlib.compress(profile))])
    name = b"XML:com.adobe.xmp\0"
    yield "png XMP", png(2, 8, [(b"iTXt", name + b"\0\0\0\0" + XMP % 6)])
    yield "png packed XMP", png(2, 8, [(b"iTXt", name + b"\1\0\0\0" + zlib.compress(XMP % 6))])
    frames = [draw_image(), draw_image().transpose(Image.Transpose.ROTATE_180)]
    yield "png animated", encode(frames[0], save_all=True, append_images=frames[1:])


def _small(count):
    return np.random.default_rng(3).integers(count, size=(*SIZE, 1))


# BMP


def bmp(bits, compression=0, header=40, masks=b"", colors=None, top_down=False, data=None, gap=0):
    """Returns a BMP file of random pixels.

    Args:
        bits: int. Bits per pixel.
        compression: int. 0: none, 1 and 2: runs of 8 and 4 bits, 3: masks.
        header: int. The size of the header; 12 is the OS/2 header.
        masks: bytes. Masks of red, green, blue and alpha, after 40 bytes of header.
        colors: int or `None`. The number of colors in the palette, written into the header.
        top_down: bool.
        data: bytes, or `None` for random pixels.
        gap: int. The number of bytes between header and pixels.
    """
    height, width = SIZE
    rng = np.random.default_rng(bits + compression)
    if data is None:
        data = rng.bytes((width * bits + 31) // 32 * 4 * height)
    count = 0 if bits > 8 else 2**bits if colors is None else colors
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
        palette = rng.bytes(3 * count)
    else:
        rows = -height if top_down else height
        info = struct.pack("<IiiHHI", header, width, rows, 1, bits, compression)
        info += struct.pack("<IiiII", len(data), 2835, 2835, colors or 0, 0) + masks
        info += bytes(max(header - len(info), 0))
        palette = b"".join(rng.bytes(3) + b"\0" for _ in range(count))
    head = info + palette + bytes(gap)
    start = 14 + len(head)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + data


def bmp_files():
    for bits, header, top_down in itertools.product((1, 4, 8, 24, 32), (12, 40, 124), (0, 1)):
        if header > 12 or not (top_down or bits == 32):
            name = f"bmp bits={bits} header={header} top_down={top_down}"
            yield name, bmp(bits, header=header, top_down=bool(top_down), gap=top_down)
    for header in (52, 56, 64, 108):
        yield f"bmp header={header}", bmp(24, header=header)
    yield "bmp 10 colors", bmp(8, colors=10, data=_indices(10))
    yield "bmp colors beyond the palette", bmp(8, colors=10)
    for mode in "1LP":
        image = draw_image("L" if mode == "P" else mode).convert(mode)
        yield f"bmp {mode}", encode(image, "BMP")
    yield "bmp 32 bits by Pillow", encode(draw_image("RGBA"), "BMP")
    for name, bits, masks in (
        ("555", 16, (0x7C00, 0x3E0, 0x1F, 0)),
        ("565", 16, (0xF800, 0x7E0, 0x1F, 0)),
        ("BGRX", 32, (0xFF0000, 0xFF00, 0xFF, 0)),
        ("BGRA", 32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
        ("RGBA", 32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
        ("ABGR", 32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
        ("XBGR", 32, (0xFF000000, 0xFF0000, 0xFF00, 0)),
        ("none", 32, (0, 0, 0, 0)),
        ("odd", 32, (0x3FF, 0xFFC00, 0x3FF00000, 0)),
    ):
        packed = struct.pack("<4I", *masks)
        yield f"bmp masks {name}", bmp(bits, 3, 56, packed)
        yield f"bmp masks {name} behind the header", bmp(bits, 3, 40, packed[:12])
        yield f"bmp masks {name} in a long header", bmp(bits, 3, 124, packed)
    yield "bmp 16 bits", bmp(16)
    yield "bmp runs of 8 bits", bmp(8, 1, data=b"".join(b"\x0d%c\0\0" % n for n in range(11)))
    yield "bmp runs of 4 bits", bmp(4, 2, data=b"".join(b"\x0d%c\0\0" % n for n in range(11)))
    yield "bmp cut", bmp(24)[:-60]


def _indices(count):
    height, width = SIZE
    values = np.zeros((height, (width + 3) // 4 * 4), "uint8")
    values[:, :width] = _small(count)[..., 0]
    return values.tobytes()


# GIF


def gif(clear=None, local=False, blocks=b"", position=(0, 0), size=None, colors=16, frames=1):
    """Returns a GIF file of random pixels, whose dictionary is reset before it grows.

    Args:
        clear: int or `None`. The transparent color.
        local: bool. Whether the palette belongs to the frame.
        blocks: bytes. Extensions before the first frame.
        position, size: tuples of ints. Row and column, height and width of the frame.
        colors: int. The size of the palette, a power of 2.
        frames: int. The number of frames.
    """
    rng = np.random.default_rng(colors)
    palette = rng.bytes(3 * colors)
    bits = colors.bit_length() - 1
    flags = 0x80 | (bits - 1)
    height, width = size or SIZE
    data = b"GIF89a" + struct.pack("<HHBBB", SIZE[1], SIZE[0], 0 if local else flags, 0, 0)
    data += (b"" if local else palette) + blocks
    for _ in range(frames):
        if clear is not None:
            data += b"\x21\xf9\x04" + struct.pack("<BHBB", 1, 5, clear, 0)
        data += b"\x2c" + struct.pack("<HHHH", position[1], position[0], width, height)
        data += bytes([local * flags])
        data += palette * local + bytes([bits])
        codes = []
        for number, value in enumerate(rng.integers(colors, size=height * width)):
            # Frequent clear codes keep all codes at `bits + 1` bits.
            codes += ([colors] if number % (colors - 2) == 0 else []) + [int(value)]
        number, num_bits = 0, 0
        for code in [*codes, colors + 1]:
            number |= code << num_bits
            num_bits += bits + 1
        packed = number.to_bytes((num_bits + 7) // 8, "little")
        for start in range(0, len(packed), 255):
            part = packed[start : start + 255]
            data += bytes([len(part)]) + part
        data += b"\0"
    return data + b";"


def gif_files():
    comment = b"\x21\xfe\x05hello\x03, w\0"
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    for local, clear, colors in itertools.product((False, True), (None, 3), (4, 16, 128)):
        yield f"gif local={local} clear={clear} colors={colors}", gif(clear, local, colors=colors)
    yield "gif extensions", gif(3, blocks=comment + loop)
    yield "gif frames", gif(3, blocks=loop, frames=3)
    yield "gif cut", gif()[:-40]
    yield "gif cut in the second frame", gif(3, frames=3)[:-150]
    yield "gif frame smaller than the canvas", gif(size=(5, 6), position=(2, 3))
    yield "gif clear frame smaller than the canvas", gif(3, size=(5, 6), position=(2, 3))
    yield "gif frame larger than the canvas", gif(size=(20, 20))
    xmp = b"\x21\xff\x0bXMP DataXMP" + XMP % 6 + b"\1" + bytes(range(255, -1, -1)) + b"\0"
    yield "gif XMP", gif(blocks=xmp)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"gif {mode}", encode(draw_image(mode), "GIF")
    moving = [draw_image("RGBA"), draw_image("RGBA").transpose(Image.Transpose.ROTATE_180)]
    for disposal in (0, 1, 2, 3):
        options = {"save_all": True, "append_images": moving[1:], "disposal": disposal}
        yield f"gif disposal {disposal}", encode(moving[0], "GIF", **options)


# WebP


def riff(*chunks):
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def webp_files():
    for lossless, mode in itertools.product((True, False), ("L", "RGB", "RGBA", "LA")):
        name = f"webp lossless={lossless} {mode}"
        yield name, encode(draw_image(mode), "WEBP", lossless=lossless, exact=True)
        for orientation, endian in ((1, "<"), (6, "<"), (8, ">")):
            data = exif(orientation, endian)
            for start in (b"", b"Exif\0\0"):
                options = {"lossless": lossless, "exact": True, "exif": start + data}
                yield f"{name} {orientation} {start}", encode(draw_image(mode), "WEBP", **options)
    yield "webp XMP", encode(draw_image(), "WEBP", lossless=True, xmp=XMP % 6)
    frames = [draw_image(), draw_image().transpose(Image.Transpose.ROTATE_180)]
    yield "webp animated", encode(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    yield "webp cut", encode(draw_image(), "WEBP")[:-20]
    yield "webp cut lossless", encode(draw_image(), "WEBP", lossless=True)[:-30]


# JPEG


def jpeg_segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_files():
    plain = encode(draw_image(), "JPEG", quality=95)
    for mode, progressive in itertools.product(("L", "RGB", "CMYK"), (False, True)):
        options = {"quality": 95, "progressive": progressive}
        yield f"jpeg {mode} progressive={progressive}", encode(draw_image(mode), "JPEG", **options)
    for sampling in (0, 1, 2):
        yield f"jpeg sampling {sampling}", encode(draw_image(), "JPEG", subsampling=sampling)
    yield "jpeg RGB inside", encode(draw_image(), "JPEG", keep_rgb=True)
    yield "jpeg restarts", encode(draw_image(), "JPEG", restart_marker_blocks=1)
    cmyk = encode(draw_image("CMYK"), "JPEG", quality=95)
    adobe = cmyk.index(b"\xff\xee")
    yield "jpeg CMYK without Adobe", cmyk[:adobe] + cmyk[adobe + 16 :]
    yield "jpeg YCCK", cmyk.replace(b"Adobe\0\x64\0\0\0\0\0", b"Adobe\0\x64\0\0\0\0\2")
    for orientation, endian in itertools.product(range(10), "<>"):
        name = f"jpeg EXIF {orientation} {endian}"
        segment = jpeg_segment(0xE1, b"Exif\0\0" + exif(orientation, endian))
        yield name, plain[:2] + segment + plain[2:]
        yield f"{name} behind JFIF", plain[:20] + segment + plain[20:]
    for kind, endian in itertools.product((1, 4), "<>"):
        segment = jpeg_segment(0xE1, b"Exif\0\0" + exif(6, endian, kind))
        yield f"jpeg EXIF type {kind} {endian}", plain[:2] + segment + plain[2:]
    xmp = jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP % 6)
    yield "jpeg XMP", plain[:20] + xmp + plain[20:]
    upright = jpeg_segment(0xE1, b"Exif\0\0" + exif(1))
    yield "jpeg EXIF before XMP", plain[:20] + upright + xmp + plain[20:]
    comment = jpeg_segment(0xFE, b"tiff:Orientation of a comment")
    yield "jpeg comment", plain[:20] + comment + plain[20:]
    broken = jpeg_segment(0xE1, b"Exif\0\0" + b"nothing of use")
    yield "jpeg broken EXIF", plain[:20] + broken + plain[20:]
    yield "jpeg cut", plain[:-40]
    yield "jpeg behind the end", plain + b"more"


def other_files():
    yield "tiff", encode(draw_image(), "TIFF")
    yield "ppm", encode(draw_image(), "PPM")
    yield "ico", encode(draw_image("RGBA").resize((16, 16)), "ICO")
    yield "tga", encode(draw_image(), "TGA")
    yield "jpeg 2000", encode(draw_image(), "JPEG2000")
    yield "avif", encode(draw_image(), "AVIF")
    yield "text", b"no image"
    yield "empty", b""


def image_files():
    """Returns a dict, name -> content of the file."""
    makers = (png_files, bmp_files, gif_files, webp_files, jpeg_files, other_files)
    return dict(itertools.chain.from_iterable(make() for make in makers))
