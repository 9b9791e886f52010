import keras


class PreprocessedSequence(keras.utils.PyDataset):
    """Applies a model's preprocessing to each batch of a `PyDataset`, without TensorFlow.

    Args:
        sequence: `keras.utils.PyDataset`. Its workers, queue size and epoch hooks are kept.
        preprocess: function `(x, y, sample_weight)` that returns a preprocessed batch, such as
            `model.preprocess_samples`.
    """

    def __init__(self, sequence, preprocess):
        super().__init__(sequence.workers, sequence.use_multiprocessing, sequence.max_queue_size)
        self.sequence = sequence
        self.preprocess = preprocess

    @property
    def num_batches(self):
        return self.sequence.num_batches

    def __getitem__(self, index):
        batch = self.preprocess(*keras.utils.unpack_x_y_sample_weight(self.sequence[index]))
        return keras.tree.map_structure(keras.ops.convert_to_numpy, batch)

    def on_epoch_begin(self):
        self.sequence.on_epoch_begin()

    def on_epoch_end(self):
        self.sequence.on_epoch_end()
