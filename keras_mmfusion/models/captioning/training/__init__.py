"""The training recipe of captioners."""
