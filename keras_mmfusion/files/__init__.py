"""Text, CSV and JSON files of users, read strictly: what is ambiguous is an error."""
