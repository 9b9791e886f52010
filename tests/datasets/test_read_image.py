import io
import random
import struct
import zlib

import keras
import ml_dtypes
import numpy as np
import pytest
from image_variants import draw_image, encode, png
from photos import photo
from PIL import Image

from keras_mmfusion.datasets.images.read_image import read_image, resize_image


def test_reads_png_from_path_bytes_pil_and_array(tmp_path):
    pixels = photo(20, 30)
    image = Image.fromarray(pixels)
    path = tmp_path / "photo.png"
    image.save(path)
    for source in (path, str(path), path.read_bytes(), bytearray(path.read_bytes()), image, pixels):
        result = read_image(source)
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, pixels)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "BMP", "TIFF"])
def test_reads_common_formats(format):
    pixels = photo(20, 30)
    result = read_image(encode(Image.fromarray(pixels), format))
    assert result.shape == (20, 30, 3)
    assert np.abs(result.astype(int) - pixels).mean() < 6


def test_gray_is_repeated():
    gray = photo(5, 6)[..., 0]
    result = read_image(encode(Image.fromarray(gray)))
    np.testing.assert_array_equal(result, np.stack([gray] * 3, axis=-1))


def test_bilevel_is_converted_to_black_and_white():
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], "uint8")).convert("1")
    assert read_image(encode(bits))[..., 0].tolist() == [[0, 255], [255, 0]]


def test_palette_is_converted_to_rgb():
    palette = Image.fromarray(photo(20, 30)).quantize(16)
    np.testing.assert_array_equal(read_image(encode(palette)), np.asarray(palette.convert("RGB")))


def test_transparent_palette_is_blended_with_white():
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    result = read_image(encode(palette, transparency=0))
    assert result.tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_rgba_is_blended_with_white():
    rgba = np.array([[[100, 0, 0, 255], [100, 0, 0, 0], [0, 0, 0, 128]]], "uint8")
    for source in (encode(Image.fromarray(rgba)), rgba):
        result = read_image(source)
        assert result[0, 0].tolist() == [100, 0, 0]
        assert result[0, 1].tolist() == [255, 255, 255]
        assert np.abs(result[0, 2].astype(int) - 127).max() <= 1


def test_gray_with_alpha_is_blended_with_white():
    image = Image.fromarray(np.array([[[50, 255], [50, 0]]], "uint8"), "LA")
    assert read_image(encode(image)).tolist() == [[[50] * 3, [255] * 3]]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_can_be_ignored_as_by_pillow(mode):
    if mode == "P":
        image, options = Image.fromarray(photo(6, 5)).quantize(4), {"transparency": 1}
    else:
        image, options = draw_image(mode), {}
    content = encode(image, **options)
    expected = np.asarray(image.convert("RGB"))
    assert (read_image(content) != expected).any()
    np.testing.assert_array_equal(read_image(content, drop_alpha=True), expected)
    if mode == "RGBA":
        for source in (image, np.asarray(image)):
            np.testing.assert_array_equal(read_image(source, drop_alpha=True), expected)


def test_cmyk_is_converted_to_rgb():
    cmyk = Image.fromarray(photo(16, 16)).convert("CMYK")
    result = read_image(encode(cmyk, "JPEG", quality=95))
    assert np.abs(result.astype(int) - photo(16, 16)).mean() < 6


def test_16_bit_png_is_scaled_to_8_bits():
    values = np.array([[0, 257, 32896, 65535]], "uint16")
    assert read_image(encode(Image.fromarray(values)))[0, :, 0].tolist() == [0, 1, 128, 255]


DARK = np.array([[0, 128, 200, 257, 255, 129]], "uint16")


@pytest.mark.parametrize("byte_order", ["<u2", ">u2"])
def test_dark_16_bit_arrays_stay_dark(byte_order):
    assert read_image(DARK.astype(byte_order))[0, :, 0].tolist() == [0, 0, 1, 1, 1, 1]
    color = np.stack([DARK, DARK, DARK, np.full_like(DARK, 65535)], axis=-1)
    for array in (color, color[..., :3]):
        np.testing.assert_array_equal(read_image(array), read_image(DARK))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_dark_16_bit_files_stay_dark(format):
    image = Image.fromarray(DARK)
    expected = read_image(DARK)
    np.testing.assert_array_equal(read_image(image), expected)
    content = encode(image, format)
    np.testing.assert_array_equal(read_image(content), expected)
    with Image.open(io.BytesIO(content)) as opened:
        np.testing.assert_array_equal(read_image(opened), expected)


def test_dark_big_endian_16_bit_images_stay_dark():
    image = Image.frombytes("I;16B", (6, 1), DARK.astype(">u2").tobytes())
    np.testing.assert_array_equal(read_image(image), read_image(DARK))
    np.testing.assert_array_equal(read_image(encode(image, "TIFF")), read_image(DARK))


def test_32_bit_images_are_read_as_16_bits_if_their_values_allow():
    values = np.array([[0, 257, 32896, 65535]], "int32")
    assert read_image(Image.fromarray(values))[0, :, 0].tolist() == [0, 1, 128, 255]
    assert not read_image(Image.fromarray(values * 0)).any()
    with pytest.raises(ValueError, match="mode 'I' .*no value above 255.*'L' or 'I;16'"):
        read_image(Image.fromarray(values // 300))
    for beyond in (values * 2, values - 1):
        with pytest.raises(ValueError, match="outside the 16-bit range from 0 to 65535"):
            read_image(Image.fromarray(beyond))


def test_16_bit_tiff_with_inverted_gray_levels():
    tags = [(256, 4), (257, 1), (258, 16), (259, 1), (262, 0), (273, 122), (277, 1), (278, 1)]
    tags.append((279, 8))
    header = b"II*\0" + struct.pack("<IH", 8, len(tags))
    entries = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags)
    pixels = np.array([0, 257, 32896, 65535], "<u2").tobytes()
    result = read_image(header + entries + bytes(4) + pixels)
    assert result[0, :, 0].tolist() == [255, 254, 127, 0]


def test_gray_with_premultiplied_alpha_is_blended_with_white():
    image = Image.fromarray(np.array([[[50, 255], [50, 0]]], "uint8"), "LA").convert("La")
    assert read_image(image).tolist() == [[[50] * 3, [255] * 3]]


def test_transparent_color_of_16_bit_png():
    values = np.full((11, 13, 1), 300)
    values[0] = 301
    result = read_image(png(0, 16, [(b"tRNS", struct.pack(">H", 301))], values=values))
    assert (result[0] == 255).all() and (result[1:] == 1).all()


def test_bool_arrays_are_converted_to_black_and_white():
    array = np.array([[False, True]])
    assert read_image(array)[0, :, 0].tolist() == [0, 255]
    np.testing.assert_array_equal(read_image(Image.fromarray(array)), read_image(array))


def test_floats_with_an_ambiguous_range_are_rejected():
    with pytest.raises(ValueError, match=r"from 0 to 1 or from 0 to 255.*1\.0[0-9]*, is ambig"):
        read_image(np.array([[0.2, 1.02]]))
    assert read_image(np.array([[0.0, 2.0]]))[0, :, 0].tolist() == [0, 2]


def test_open_files_are_read_from_their_start(tmp_path):
    pixels = photo(20, 30)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")  # The file position is now at the end.
    path = tmp_path / "photo.png"
    path.write_bytes(buffer.getvalue())
    with open(path, "rb") as file:
        for source in (buffer, buffer, file, file):
            np.testing.assert_array_equal(read_image(source), pixels)
    with open(path, encoding="utf-8") as file, pytest.raises(TypeError, match="a binary file"):
        read_image(file)
    with open(path, "w+") as file, pytest.raises(TypeError, match="must be a binary file"):
        read_image(file)
    with pytest.raises(ValueError, match="The BytesIO of 0 bytes is empty"):
        read_image(io.BytesIO())
    with open(path, "rb") as file, pytest.raises(ValueError, match="file '.*photo.png' is empty"):
        read_image(file)


def test_numpy_scalars_are_read_as_paths_and_bytes(tmp_path):
    pixels = photo(20, 30)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    for source in (np.array(str(path)), np.str_(path), np.array(path, object)):
        np.testing.assert_array_equal(read_image(source), pixels)
    np.testing.assert_array_equal(read_image(np.array(path.read_bytes(), object)), pixels)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC .*heif-convert"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "is a HEIC"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "Canon CR3.*darktable"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "a video .*ffmpeg"),
        (b"RIFF\x10\0\0\0AVI LIST", "a video"),
        (b"\x1aE\xdf\xa3\1\0\0\0", "a video"),
        (b"\0\0\x01\xba\1\0\0\0", "a video"),
        (b"%PDF-1.7", "a PDF document.*pdftoppm"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'>", "an SVG drawing.*rsvg-convert"),
        (b"<svg>", "an SVG drawing"),
        (b"\n<!DOCTYPE html><html>", "an HTML page.*Download"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS.*git lfs pull"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\xff\x0a\0", "a JPEG XL image"),
        (b"FUJIFILMCCD-RAW 0201", "raw camera photo"),
        (b'{"error": "not found"}', "a JSON document"),
        (b"", "is empty. Write or download"),
        (b"shopping list", "is not an image of a format that Pillow reads"),
    ],
)
def test_error_identifies_files_that_are_not_images(tmp_path, head, message):
    path = tmp_path / "photo.jpg"
    path.write_bytes(head)
    with pytest.raises(ValueError, match=f"photo.jpg' .*{message}"):
        read_image(path)
    with pytest.raises(ValueError, match=f"image of {len(head)} bytes .*{message}"):
        read_image(head)


def test_raw_photos_with_thumbnails_are_rejected():
    thumbnail = encode(Image.new("RGB", (16, 12)), "TIFF", tiffinfo={254: 1})
    with pytest.raises(ValueError, match="starts with a thumbnail.*darktable"):
        read_image(thumbnail)


def test_reads_float_tiff():
    values = np.array([[0.0, 0.5, 1.0]], "float32")
    assert read_image(encode(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == [0, 128, 255]


def test_exif_rotation_is_applied():
    pixels = photo(16, 32)
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90° clockwise
    result = read_image(encode(Image.fromarray(pixels), "JPEG", exif=exif, quality=95))
    assert result.shape == (32, 16, 3)
    assert np.abs(result.astype(int) - np.rot90(pixels, -1)).mean() < 6


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
def test_first_frame_of_animation_is_read(format):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "lime")]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
    assert np.abs(read_image(data).astype(int) - [255, 0, 0]).max() <= 2


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="no image file '.*absent.jpg'"):
        read_image(tmp_path / "absent.jpg")
    with pytest.raises(ValueError, match="no image file"):
        read_image(tmp_path)


def test_empty_file_is_rejected(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(ValueError, match="file '.*empty.jpg' is empty. "):
        read_image(path)
    with pytest.raises(ValueError, match="image of 0 bytes is empty. "):
        read_image(b"")


def test_text_file_is_rejected(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("shopping list")
    with pytest.raises(ValueError, match="file '.*notes.jpg' is not an image"):
        read_image(path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncated_file_is_rejected(tmp_path, format, kept):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")
    data = encode(Image.fromarray(noise), format)
    path = tmp_path / "cut"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ValueError, match="file '.*cut' is "):
        read_image(path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "TIFF", "PPM", "TGA", "WEBP"])
def test_damaged_files_are_read_or_raise_value_error(format):
    generator = random.Random(0)
    data = encode(Image.fromarray(photo(32, 32)), format)
    rejected = 0
    for _ in range(100):
        damaged = bytearray(data)
        for _ in range(8):
            damaged[int(generator.random() ** 2 * len(data))] = generator.randrange(256)
        try:
            assert read_image(damaged).shape[2] == 3
        except ValueError as error:
            rejected += 1
            assert f"mage of {len(data)} bytes" in str(error)
    assert rejected > 10


@pytest.mark.parametrize("side", [9_500, 20_000, 2_000_000])
def test_decompression_bomb_is_rejected(side):
    def chunk(kind, body):
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(ValueError, match=rf"image of {len(bomb)} bytes .*(pixels|large)"):
        read_image(bomb)


def test_max_pixels_limits_arrays():
    with pytest.raises(ValueError, match="max_pixels=599"):
        read_image(photo(20, 30), max_pixels=599)
    assert read_image(photo(20, 30), max_pixels=600).shape == (20, 30, 3)


def test_float_ranges_are_detected():
    pixels = photo(20, 30)
    np.testing.assert_array_equal(read_image(pixels / 255), pixels)
    np.testing.assert_array_equal(read_image(pixels.astype("float32")), pixels)
    np.testing.assert_array_equal(read_image(pixels.astype("int64")), pixels)
    half = read_image((pixels / 255).astype(ml_dtypes.bfloat16))
    assert np.abs(half.astype(int) - pixels).max() <= 1


def test_reads_backend_tensors():
    pixels = photo(20, 30)
    np.testing.assert_array_equal(read_image(keras.ops.convert_to_tensor(pixels)), pixels)
    variable = keras.Variable(pixels / 255, dtype="float32").value
    np.testing.assert_array_equal(read_image(variable), pixels)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1)])
def test_gray_arrays_are_repeated(shape):
    gray = photo(20, 30)[..., 0]
    assert (read_image(gray.reshape(shape)) == gray[..., None]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_rejected(value):
    array = np.zeros((4, 4, 3))
    array[1, 2, 0] = value
    with pytest.raises(ValueError, match=r"shape \(4, 4, 3\) and dtype float64 .*NaN"):
        read_image(array)


@pytest.mark.parametrize("shape", [(4,), (2, 4, 4, 3), (3, 8, 8), (4, 4, 2), ()])
def test_invalid_shape_is_rejected(shape):
    with pytest.raises(ValueError, match=r"shape \(.*must be a single image"):
        read_image(np.zeros(shape))


def test_empty_array_is_rejected():
    with pytest.raises(ValueError, match="no pixels"):
        read_image(np.zeros((0, 4, 3)))


@pytest.mark.parametrize("dtype", ["complex64", "object", "U1"])
def test_invalid_dtype_is_rejected(dtype):
    with pytest.raises(ValueError, match="must have integer, float or boolean values"):
        read_image(np.zeros((4, 4, 3), dtype))


@pytest.mark.parametrize("values", [[0, 256], [-1, 1], [-0.5, 0.5], [0.0, 300.0]])
def test_values_out_of_range_are_rejected(values):
    with pytest.raises(ValueError, match="Its values range from"):
        read_image(np.array([values]))


@pytest.mark.parametrize("source", [None, 3, [[0, 1]], {"image": 1}])
def test_invalid_type_is_rejected(source):
    with pytest.raises(TypeError, match="`source` must be a path"):
        read_image(source)


def test_input_is_not_modified():
    pixels = photo(20, 30)
    pixels.setflags(write=False)
    read_image(pixels)
    read_image(pixels / 255)


def test_resize_image_uses_antialiasing():
    checkers = np.indices((64, 64)).sum(axis=0)[..., None] % 2 * np.full(3, 255)
    small = resize_image(checkers.astype("uint8"), (8, 4))
    assert small.shape == (8, 4, 3)
    assert np.abs(small.astype(int) - 127).max() <= 2
