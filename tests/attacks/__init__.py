"""Attacks on the whole package, carried out for real."""
