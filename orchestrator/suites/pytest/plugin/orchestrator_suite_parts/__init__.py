"""The parts of the plugin, which run inside the project's pytest.

They use nothing but the standard library and pytest, and run on Python 3.8 or later. They are in
a package of their own, because pytest rewrites the assertions of modules named with `-p`.

    stream          send records to the orchestrator
    reporting       turn pytest's hooks into records
    exceptions      describe exceptions by type, message and files
    facts           collect what is known only in the process that runs the cases
    integrity       find functions of the runner or of cases that were replaced
    patches         find what the product replaced outside of the project
    open_recorder   record which files are opened
    project_files   distinguish the project's files from installed ones
    functions       find the functions that pytest calls, behind wrappers
    import_graph    find which file of the project uses which
    function_uses   find what one function of test code uses
    reach           find the files that each case uses
    footprint       gather the files that the verdict depends on
"""
