"""The tabs of the page: one module each, with the layout only."""
