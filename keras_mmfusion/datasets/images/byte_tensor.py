"""The bytes of a file as a tensor, to read headers by TensorFlow operations."""


class ByteTensor:
    """A file whose bytes can be read at any index; behind its end there are zeros.

    Args:
        content: string tensor `()`, or an integer tensor `(bytes,)`.
    """

    def __init__(self, content):
        import tensorflow as tf

        self.data = tf.io.decode_raw(content, "uint8") if content.dtype == tf.string else content
        self.size = tf.size(self.data)
        # With one byte more, so that there is something to gather from in an empty file.
        self._padded = tf.concat([tf.cast(self.data, "uint8"), tf.zeros(1, "uint8")], axis=0)

    def at(self, index):
        """The bytes at an index or at several, int32."""
        import tensorflow as tf

        # Negative indices turn into very large ones.
        index = tf.minimum(tf.bitcast(index, "uint32"), tf.bitcast(self.size, "uint32"))
        return tf.cast(tf.gather(self._padded, tf.cast(index, "int64")), "int32")

    def little_endian(self, index, count):
        """The integer, int64, of `count` bytes of which the lowest comes first."""
        return self._number(index, count, lambda place: place)

    def big_endian(self, index, count):
        """The integer, int64, of `count` bytes of which the highest comes first."""
        return self._number(index, count, lambda place: count - 1 - place)

    def _number(self, index, count, power):
        import tensorflow as tf

        scales = tf.constant([256 ** power(place) for place in range(count)], "int64")
        return tf.reduce_sum(tf.cast(self.at(index + tf.range(count)), "int64") * scales)

    def matches(self, magic, index=0):
        """Whether the bytes from an index on are `magic`."""
        import tensorflow as tf

        return tf.reduce_all(self.at(index + tf.range(len(magic))) == tf.constant(list(magic)))


def cut_block(content, index, start, length):
    """The part of a block, string `()`: empty where the block's index is negative.

    Args:
        content: string tensor `()`, the file.
        index: int32 tensor `()`, of `find_blocks`.
        start: int. Where in the block the part starts.
        length: integer tensor `()`.
    """
    import tensorflow as tf

    length = tf.cast(tf.minimum(length, 2**31 - 1), "int32")
    return tf.cond(
        index < 0, lambda: b"", lambda: tf.strings.substr(content, index + start, length)
    )


def find_blocks(data, start, next_index, wanted):
    """The index of the first block of each kind in a file of blocks, -1 where there is none.

    Args:
        data: `ByteTensor`.
        start: int. Index of the first block.
        next_index: function, index of a block -> index of the next; one that is not larger
            is the end.
        wanted: dict, name -> function, index of a block -> bool tensor.

    Returns:
        Dict, name -> int32 tensor `()`.
    """
    import tensorflow as tf

    def inside(index, *_):
        return index < data.size

    def step(index, *found):
        found = [
            tf.where((place < 0) & is_wanted(index), index, place)
            for place, is_wanted in zip(found, wanted.values(), strict=True)
        ]
        following = next_index(index)
        return tf.where(following > index, following, data.size), *found

    nothing = tf.constant(-1)
    _, *found = tf.while_loop(inside, step, (tf.constant(start), *[nothing] * len(wanted)))
    return dict(zip(wanted, found, strict=True))
