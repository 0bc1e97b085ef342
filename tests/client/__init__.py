"""HTTP below the rules."""
