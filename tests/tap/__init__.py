"""The tap over the stand-in: rows, messages, exit codes, token requests."""
