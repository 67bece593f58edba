"""What keeps an unattended run within bounds: caps, the wait for a reset, the circuit breaker."""
