"""The broker under signals, kills and a failing store."""
