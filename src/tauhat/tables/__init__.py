"""From files and columns to numbers: reading, labels, dates, values far outside, encoding."""
