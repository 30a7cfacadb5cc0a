"""Runs over many images: cut into batches, shared among processes and shards, and gone on with after a kill.

How a command uses this room:

    shard, total = parse_shard(text), count_batches(len(files), batch_size)
    identity = run_identity("boxes", arguments, files=files, shard=shard, checkpoint=sha256, batch_size=batch_size)
    with joined() as ranks:                                 # one process, or those that torchrun started
        skipped = carry_out(
            folder, identity, results, batches=shard.batches(total), record=record, join=join, ranks=ranks, ...
        )                                                   # None but in the leading process

`record(work, progress)` does the batches of this process, by `record_batches`; `join(work)`, in the leading process
alone, makes files of `copy_lines(work.entries())`, and the manifest.
`results` tells what stands in the folder (`Results`); the manifest keeps the identity as `run`.
"""
