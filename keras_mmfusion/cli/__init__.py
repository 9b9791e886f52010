"""The `mmfusion` command."""
