"""Commands that train: one run, a stopped one, many with other values, many networks."""
