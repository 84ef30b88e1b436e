"""What measures Headrace: each module prints a table with the ratio to a reference of the same run."""
