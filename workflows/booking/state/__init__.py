"""What a booking knows, in seven parts. Each field is written only by the part that holds it."""
