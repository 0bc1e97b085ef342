"""A second TikTok, written from TikTok's documentation and from nothing of this package.

The simulator that the package ships and the code that it tests could share a misunderstanding.
This one shares no line with them.
"""
