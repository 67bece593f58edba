"""Timers that start the nightly review: systemd, launchd, cron.

    job        what is to be started, when, and with which environment
    systemd    the text of a user timer and its service
    launchd    the property list of a launch agent
    cron       one line in the user's crontab
    choose     finds out which of them this machine has
    programs   starts `systemctl`, `launchctl`, `crontab`
    timers     installs, removes and reads each of them
    night_log  the log of the nightly runs, where there is no journal

Whoever starts the review, the review decides by itself whether it is due (`--due`). So a timer may
start it too often, but must not start it too rarely.
"""
