"""`python -m langgraph_learning.cli`."""

from langgraph_learning.cli import main

if __name__ == "__main__":
    main()
