"""Model files made by hand, byte by byte: hostile ones with harmless payloads, and honest look-alikes."""
