"""What Holdfast knows about booking, free of I/O, clocks and frameworks."""
