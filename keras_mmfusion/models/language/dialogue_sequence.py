"""Batches of dialogues, with which `fit` trains a language model to give the answers."""

import math
import warnings

import keras
import numpy as np

from keras_mmfusion._checks import check_integer
from keras_mmfusion.models.language.dialogue_packing import join_samples, pack_lengths
from keras_mmfusion.models.language.encoded_sample import EncodedSample
from keras_mmfusion.models.language.language_preprocessor import LanguagePreprocessor
from keras_mmfusion.models.language.multimodal_preprocessor import MultimodalPreprocessor

_BUCKET_BATCHES = 50  # Rows are sorted by length within this number of batches.


class DialogueSequence(keras.utils.PyDataset):
    """Batches of dialogues as token ids, targets, and weights that are 1 for the answers.

    All dialogues are encoded once at the beginning, which checks them and measures their lengths.
    Their files are read again for each batch, so that memory does not grow with their number.
    Dialogues of similar lengths are batched together. A batch depends only on `seed`, the epoch,
    and its index, so that training can be resumed:

        model.fit(sequence, shuffle=False, initial_epoch=3, epochs=9,
                  callbacks=[sequence.epoch_callback()])

    Args:
        dialogues: list of dialogues, such as those of `read_dialogues`.
        preprocessor: `MultimodalPreprocessor`; or, for texts, `LanguagePreprocessor`. It needs a
            chat template. Dialogues longer than its `sequence_length` are truncated; those whose
            first answer is beyond it are dropped, with a warning.
        batch_size: int. The number of sequences of a batch.
        pack: bool. Whether to join several dialogues to a sequence, up to `sequence_length` tokens.
            This avoids padding. Like in other trainers, tokens also attend to the earlier dialogues
            of their sequence.
        pad_to_multiple_of: int. Sequences are padded to multiples of it, so that compiled functions
            see few shapes.
        shuffle: bool. Whether to visit the dialogues in a new random order each epoch.
        seed: int. The seed of the order.
        epoch: int. The index of the first epoch; an attribute that can be changed.
        workers, use_multiprocessing, max_queue_size: see `keras.utils.PyDataset`.

    Returns:
        `sequence[index]` is a tuple of the inputs of the model (a dict of `"token_ids"` and
        `"padding_mask"`, and of the items of the dialogues), the next token ids, and weights, both
        `(batch, tokens)`.

    Raises:
        ValueError: if a dialogue is invalid; the message has its index. Also if none has an answer
            within `sequence_length`.

    Example:

    >>> from keras_mmfusion.models import ChatTemplate, Gpt2Tokenizer
    >>> from keras_mmfusion.models.tokenizers.byte_pair_tokenizer import make_byte_characters
    >>> special = ("<|im_start|>", "<|im_end|>")
    >>> tokenizer = Gpt2Tokenizer(
    ...     [*special, "<|endoftext|>", *make_byte_characters()], [], special_tokens=special)
    >>> preprocessor = LanguagePreprocessor(tokenizer, chat_template=ChatTemplate())
    >>> messages = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4."}]
    >>> inputs, targets, weights = DialogueSequence([messages], preprocessor)[0]
    >>> tokenizer.detokenize(targets[weights == 1].tolist())  # Without special tokens.
    '4.'
    """

    def __init__(
        self,
        dialogues,
        preprocessor,
        batch_size=8,
        pack=False,
        pad_to_multiple_of=64,
        shuffle=True,
        seed=0,
        epoch=0,
        workers=1,
        use_multiprocessing=False,
        max_queue_size=10,
    ):
        super().__init__(workers, use_multiprocessing, max_queue_size)
        if isinstance(preprocessor, LanguagePreprocessor):
            preprocessor = MultimodalPreprocessor(preprocessor, {})
        self.dialogues = list(dialogues)
        self.preprocessor = preprocessor
        self.batch_size = check_integer(self, "batch_size", batch_size)
        self.pad_to_multiple_of = check_integer(self, "pad_to_multiple_of", pad_to_multiple_of)
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = epoch
        self._texts = self._encode_texts()
        lengths = {index: len(sample) for index, sample in self._texts.items()}
        self._rows = pack_lengths(lengths, preprocessor.sequence_length + 1 if pack else 0)
        self._row_lengths = [sum(lengths[index] for index in row) for row in self._rows]
        self._order = None, None

    def _encode_texts(self):
        """Returns a dict, index of a dialogue with an answer -> its `EncodedSample`, no items."""
        texts, dropped, length = {}, [], self.preprocessor.sequence_length + 1
        for index in range(len(self.dialogues)):
            try:
                sample = self.preprocessor.truncate(self._encode(index), length)
            except ValueError as error:
                raise ValueError(f"`dialogues[{index}]` is invalid: {error}") from error
            if any(sample.is_answer):
                items = {name: [] for name, each in sample.items.items() if each}
                texts[index] = EncodedSample(sample.token_ids, sample.is_answer, items)
            else:
                dropped.append(index)
        message = (
            f"{len(dropped)} of {len(self.dialogues)} dialogues have no answer within the "
            f"`sequence_length` of {length - 1} tokens, by index: {dropped[:3]}. Use a larger one."
        )
        if not texts:
            raise ValueError(message)
        if dropped:
            warnings.warn(message, stacklevel=3)
        return texts

    def _encode(self, index):
        return self.preprocessor.encode_chat(self.dialogues[index], add_generation_prompt=False)

    def __len__(self):
        return math.ceil(len(self._rows) / self.batch_size)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be from 0 to {len(self) - 1}. Received: {index}")
        rows = self._order_rows(self.epoch)[index]
        samples = [join_samples([self._load(i) for i in self._rows[row]]) for row in rows]
        longest = max(map(len, samples)) - 1
        length = math.ceil(longest / self.pad_to_multiple_of) * self.pad_to_multiple_of
        return self.preprocessor.make_batch(samples, length)

    def _load(self, index):
        """Returns the sample of a dialogue, with its items."""
        text = self._texts[index]
        if not text.items:
            return text
        return EncodedSample(text.token_ids, text.is_answer, self._encode(index).items)

    def _order_rows(self, epoch):
        """Returns the rows of each batch of an epoch."""
        last_epoch, batches = self._order
        if last_epoch != epoch:
            batches = self._make_batches(epoch)
            self._order = epoch, batches
        return batches

    def _make_batches(self, epoch):
        count, size = len(self._rows), self.batch_size
        if not self.shuffle:
            return [range(start, min(start + size, count)) for start in range(0, count, size)]
        rng = np.random.default_rng([self.seed, epoch])
        order, window, batches = rng.permutation(count), size * _BUCKET_BATCHES, []
        for start in range(0, count, window):
            rows = sorted(order[start : start + window], key=lambda row: self._row_lengths[row])
            batches += [rows[first : first + size] for first in range(0, len(rows), size)]
        return [batches[index] for index in rng.permutation(len(batches))]

    def on_epoch_end(self):
        self.epoch += 1

    def epoch_callback(self):
        """Returns a Keras callback that sets `epoch` to the current epoch of `fit`."""
        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: setattr(self, "epoch", epoch)
        )
