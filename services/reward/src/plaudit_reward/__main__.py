from plaudit_reward.cli import main

main()
