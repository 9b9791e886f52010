"""Readers and checks that several kinds of data sets share."""
