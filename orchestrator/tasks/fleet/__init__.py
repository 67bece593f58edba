"""Hands runs to workers on this machine or others, and takes over what dead ones left."""
