"""The learnings workspace, `.learnings/`: the evidence that rules come from."""
