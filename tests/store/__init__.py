"""Tests of the token store."""
