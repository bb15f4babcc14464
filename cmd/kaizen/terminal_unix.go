//go:build unix

package main

import "os"

// openTerminal opens the terminal that controls the process, for questions.
func openTerminal() (*os.File, error) { return os.OpenFile("/dev/tty", os.O_WRONLY, 0) }
