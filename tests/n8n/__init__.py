"""Tests with a real n8n. `make test-n8n` installs one; they are no part of `make test`."""
