"""Networks: a trunk that gives a feature map, a head that gives logits, and the files they are kept in."""
