"""Checks and readers that several kinds of data sets share."""
