"""From sources to a corpus folder, streamed and in parallel."""
