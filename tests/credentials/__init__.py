"""The manager under signals, kills and a failing store."""
