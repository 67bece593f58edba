"""Keep the learned rules in the files that Claude Code loads, with the history behind them.

The walk of one lesson:

    1. teaching.teach          teach_failure       asks the teacher, and passes the lesson on
    2. rulebook                apply               calls the stages below, in this order
    3. rule_files              lock_and_read       reads each file once into a RuleFileSet
    4. history_updates         reconcile_history   records what people did to the files
    5. lesson_decision         decide_lesson       decides, and returns the edits as data
    6. lesson_editing          apply_decision      edits in memory; each edit is read again
    7. rule_files              write               replaces files that nobody else has changed
    8. history_updates         record_outcome      records what the lesson did

The modules, in the order in which a lesson meets them:

- `rulebook`: the rulebook of a project; coordinates the stages.
- `rule_files`, `files`, `written_copies`, `locking`, `agents_md`: the files on disk, and which of
  them are loaded.
- `rule_file_set`, `document`, `markdown_pieces`, `scope`: their content as a model.
- `mirroring`: CLAUDE.md and AGENTS.md with the same rules.
- `history_updates`, `withdrawal`, `history`, `rule_table`, `records`: what is known of each rule.
- `lesson_decision`, `preflight`, `similarity`, `signed_words`, `text`: what becomes of a lesson.
- `screening/`, `masked_secret`: which lessons wait for a person.
- `lesson_editing`, `rule_edits`, `editing`: how files change.
- `rule_merging`: what an isolated run learned in files that git does not track.
- `known_rules`: the rules that a teacher is shown.
- `outcomes`, `witness`, `suggested_checks`: what runs say about rules.
- `idle_rules`, `archive_text`: rules that prevent nothing, and where they are written down.
- `rule_manager`, `rule_plans`, `rule_input`, `committing`, `commit_notes`: what a person does with
  rules.
- `fake`: a rulebook in memory, for tests.

This package imports none of them by itself: logging a learning does not load the rulebook.
"""
