"""Parts of BERT that several tasks share."""
