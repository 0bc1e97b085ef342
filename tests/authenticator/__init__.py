"""The authenticator, as plain `requests` and as Singer streams use it."""
