// Command kaizen sends mail, watches it on its way, and measures servers.
// "kaizen --help" lists what it can do; docs/usage.md describes it.
package main

import "os"

func main() { os.Exit(int(run(newApp(), os.Args[1:]))) }
