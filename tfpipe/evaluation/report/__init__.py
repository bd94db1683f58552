"""Reports of runs, searches and comparisons: one family of templates, figures beside tables."""
