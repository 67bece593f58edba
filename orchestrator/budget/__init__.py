"""Keeps unattended runs within their limits of money, tokens and time.

ledger    what all runs on the machine spend, and the limits on it
metering  agent and teacher, metered: room is reserved before, and the bill entered after
waiting   an agent that waits for the reset of its usage limit
"""
