//go:build race

package kaizen_test

// raceEnabled says that the race detector looks on, which takes its time.
const raceEnabled = true
