package main

import "os"

// openTerminal opens the console of the process, for questions.
func openTerminal() (*os.File, error) { return os.OpenFile("CONOUT$", os.O_RDWR, 0) }
