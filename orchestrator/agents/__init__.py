"""Coding agents behind one interface: Claude Code, any other command, and a scripted fake.

Claude Code:

- `claude_code`: `ClaudeCodeAgent`, which runs the program on a prompt
- `claude_program`: find the program, its version, and the command that logs in
- `claude_environment`: its environment, and settings that a project cannot override
- `claude_payer`: who pays for its work
- `claude_project`: what a project's own settings would run, and its AGENTS.md files
- `claude_project_trust`: which of a project's settings need the user's trust
- `permissions`: rules that let it run the project's tests
- `claude_transport`: its process, and the lines that it reads and writes
- `claude_session`: the protocol: greeting, prompt, and answers to its questions
- `claude_wire`: its messages as types
- `claude_messages`: events while it works, and the result at the end
- `claude_tools`: how its tool calls end
- `claude_endings`: how a session ended
- `claude_question`: one question without tools, which the teacher asks
- `claude_question_endings`: what came of it
- `transcripts`: the rows of a transcript, in bounded time
- `claude_instructions`: which instructions reached the model

Other agents:

- `command`: any program that takes a prompt
- `fake`: an agent for tests

Text of agents:

- `notices`: notices of a usage limit, a missing login, or an API error
- `resets`: when a usage limit ends
- `wording`: text made safe for a terminal
"""
