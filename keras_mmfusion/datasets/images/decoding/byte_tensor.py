"""Access to the bytes of a file by TensorFlow operations, for parsing headers."""


class ByteTensor:
    """The bytes of a file, followed by zeros.

    Args:
        content: string tensor `()`, or integer tensor `(bytes,)`.
    """

    def __init__(self, content):
        import tensorflow as tf

        self.data = tf.io.decode_raw(content, "uint8") if content.dtype == tf.string else content
        self.size = tf.size(self.data)
        # An additional byte, so that `gather` has an element to return for an empty file.
        self._padded = tf.concat([tf.cast(self.data, "uint8"), tf.zeros(1, "uint8")], axis=0)

    def at(self, index):
        """Returns the bytes at one or several indices, int32."""
        import tensorflow as tf

        # As unsigned integers, negative indices become large and are clipped to the end.
        index = tf.minimum(tf.bitcast(index, "uint32"), tf.bitcast(self.size, "uint32"))
        return tf.cast(tf.gather(self._padded, tf.cast(index, "int64")), "int32")

    def little_endian(self, index, count):
        """Returns the integer, int64, in `count` bytes, least significant byte first."""
        return self._number(index, count, lambda position: position)

    def big_endian(self, index, count):
        """Returns the integer, int64, in `count` bytes, most significant byte first."""
        return self._number(index, count, lambda position: count - 1 - position)

    def _number(self, index, count, power):
        import tensorflow as tf

        scales = tf.constant([256 ** power(position) for position in range(count)], "int64")
        return tf.reduce_sum(tf.cast(self.at(index + tf.range(count)), "int64") * scales)

    def matches(self, magic, index=0):
        """Returns whether the bytes starting at an index equal `magic`."""
        import tensorflow as tf

        return tf.reduce_all(self.at(index + tf.range(len(magic))) == tf.constant(list(magic)))


def cut_block(content, index, start, length):
    """Returns a slice of a block, a string `()`; empty if the index of the block is negative.

    Args:
        content: string tensor `()`, the content of the file.
        index: int32 tensor `()`. The index of the block; see `find_blocks`.
        start: int. The start of the slice, relative to the block.
        length: integer tensor `()`.
    """
    import tensorflow as tf

    length = tf.cast(tf.minimum(length, 2**31 - 1), "int32")
    return tf.cond(
        index < 0, lambda: b"", lambda: tf.strings.substr(content, index + start, length)
    )


def find_blocks(data, start, next_index, wanted):
    """Finds the first block of each kind in a file that is a sequence of blocks.

    Args:
        data: `ByteTensor`.
        start: int. The index of the first block.
        next_index: function, index of a block -> index of the next block. An index that is not
            larger ends the search.
        wanted: dict, name -> function, index of a block -> bool tensor.

    Returns:
        Dict, name -> int32 tensor `()`: the index of the block, or -1 if there is none.
    """
    import tensorflow as tf

    def inside(index, *_):
        return index < data.size

    def step(index, *indices):
        indices = [
            tf.where((first < 0) & is_wanted(index), index, first)
            for first, is_wanted in zip(indices, wanted.values(), strict=True)
        ]
        following = next_index(index)
        return tf.where(following > index, following, data.size), *indices

    missing = tf.constant(-1)
    _, *indices = tf.while_loop(inside, step, (tf.constant(start), *[missing] * len(wanted)))
    return dict(zip(wanted, indices, strict=True))
