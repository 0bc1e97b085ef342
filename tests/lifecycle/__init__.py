"""The rules over made-up histories."""
