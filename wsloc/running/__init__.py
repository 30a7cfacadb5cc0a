"""Runs over many images: cut into batches, shared among processes and shards, and gone on with after a kill."""
