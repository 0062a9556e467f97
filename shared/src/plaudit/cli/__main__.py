from plaudit.cli.main import main

main()
