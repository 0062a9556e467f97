from plaudit_sandbox.cli import main

main()
