"""Where journeys and what happened on them are kept: one folder, one SQLite file, columns beside it."""
