"""From a batch of pictures to the pseudo-labels of their pixels."""
