// Command print writes a file to standard output, on every system.
package main

import "os"

func main() {
	content, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(content)
}
