"""The login of a person."""
