"""The stand-in for TikTok."""

from tests.standin.fixtures import bench, standin, waits

__all__ = ["bench", "standin", "waits"]
