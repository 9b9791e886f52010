"""Interactions of users with items, and features of the items."""
