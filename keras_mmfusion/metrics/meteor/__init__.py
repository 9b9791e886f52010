"""METEOR 1.5 and NLTK's METEOR."""
