"""The client side: what a web backend and the command line use to talk to bookings."""
