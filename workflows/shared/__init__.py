"""What every workflow uses: timers, running activities, search attributes."""
