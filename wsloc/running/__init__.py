"""Runs over many images: cut into batches, shared among processes and shards, and gone on with after a kill.

How a command uses this room:

    shard, total = parse_shard(text), count_batches(len(files), batch_size)
    identity = run_identity("boxes", arguments, files=files, shard=shard, checkpoint=sha256, batch_size=batch_size)
    with (
        joined() as ranks,                                  # one process, or those that torchrun started
        open_work(folder, identity, results, batches=shard.batches(total), ranks=ranks, overwrite=...) as work,
    ):
        progress = Progress(ranks, on_batch)
        record_batches(work, batches_of(work.todo), line=..., write=..., tally=..., progress=progress)
        if work.wait_for_all(progress.look) and not work.complete:  # in the leading process alone
            ...                                             # files made of `copy_lines(work.entries())`, the manifest
            work.finish()

`results` tells what stands in the folder (`Results`); the manifest keeps the identity as `run`.
"""
