"""Dialogues about images, recordings, and videos, which language models are trained with."""
