"""Tests of `tiktok-auth`."""
