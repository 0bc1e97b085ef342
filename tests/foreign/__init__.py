"""Projects of other people that use this one, unmodified and in environments of their own."""
