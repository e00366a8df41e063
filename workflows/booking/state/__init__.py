"""What a booking knows, in six parts. Each field is written only by the part that holds it."""
