"""Timers that start the nightly review: systemd, launchd, cron."""
