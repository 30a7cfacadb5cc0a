"""How an evaluation is gathered: from live images, a predictions file or map files, into scores and a report."""
