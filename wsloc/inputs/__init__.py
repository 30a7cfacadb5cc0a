"""Images in: found, decoded, resized, and the way back to the original's pixels."""
