from memberhook.cli import main

main()
