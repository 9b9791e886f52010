"""SavedModels: what the exports of all tasks share."""
