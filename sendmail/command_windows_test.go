package sendmail_test

import "strings"

// localText is a content as the command reads it.
func localText(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// extraDeed is what only commands of this system do: nothing.
func extraDeed(string, []string) (done bool) { return false }
