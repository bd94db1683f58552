"""Reading CSV files: rows, columns, and what does not fit."""
