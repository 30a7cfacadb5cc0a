"""From a map to a region: the minimal rectangle, thresholded components."""
