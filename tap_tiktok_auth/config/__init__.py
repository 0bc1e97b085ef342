"""Settings: their table, their values, and the checked config."""
