"""The most probable segmentation of a text into pieces of a unigram model."""

import struct

_UNKNOWN_PENALTY = 10.0


class UnigramModel:
    """Splits a text into the sequence of pieces with the highest sum of scores.

    A character that is no piece by itself is unknown, with a score below all others. Consecutive
    unknown characters become one.

    Args:
        pieces: list of tuples of a string and its score, ordered by id. The score is a log
            probability; pieces whose score is `None` are never used.
        unknown_id: int. The id of unknown characters. Their score is the lowest one minus 10.
        single_precision: bool. Whether sums are rounded to float32, as in SentencePiece, which
            decides between sequences whose scores are nearly equal.

    Example:

    >>> model = UnigramModel([("<unk>", None), ("▁dog", -1.0), ("s", -2.0), ("▁dogs", -4.0)], 0)
    >>> model.segment("▁dogs?!")
    [1, 2, 0]
    """

    def __init__(self, pieces, unknown_id, single_precision=True):
        self.unknown_id = unknown_id
        self._round = _round_to_float32 if single_precision else float
        scores = [score for _, score in pieces if score is not None]
        self._unknown_score = self._round(min(scores, default=0.0) - _UNKNOWN_PENALTY)
        # Prefixes of pieces are entries too, so that the search ends where no piece continues.
        self._pieces = {}
        for id, (piece, score) in enumerate(pieces):
            if score is None:
                continue
            for end in range(1, len(piece)):
                self._pieces.setdefault(piece[:end], None)
            self._pieces[piece] = (self._round(score), id)

    def segment(self, text):
        """Returns the ids of a text, a list of ints.

        Args:
            text: string, normalized.
        """
        size = len(text)
        best = [(None, 0, -1)] * (size + 1)  # Score, start and id of the last piece, by its end.
        best[0] = (0.0, 0, -1)
        for start in range(size):
            base = best[start][0]
            is_known = False
            for end in range(start + 1, size + 1):
                piece = text[start:end]
                if piece not in self._pieces:
                    break
                entry = self._pieces[piece]
                if entry is None:
                    continue
                is_known |= end == start + 1
                self._update(best, start, end, base + entry[0], entry[1])
            if not is_known:
                score = self._round(base + self._unknown_score)
                self._update(best, start, start + 1, score, self.unknown_id)
        ids, end = [], size
        while end:
            _, start, id = best[end]
            if not (id == self.unknown_id and ids and ids[-1] == id):
                ids.append(id)
            end = start
        return ids[::-1]

    def _update(self, best, start, end, score, id):
        current = best[end][0]
        if current is None or score > current:
            best[end] = (self._round(score), start, id)


def _round_to_float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]
