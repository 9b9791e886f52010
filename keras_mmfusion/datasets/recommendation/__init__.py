"""User-item interactions, and features of items."""
