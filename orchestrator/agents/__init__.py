"""Headless coding agents: Claude Code, any command, and a scripted one for tests."""
