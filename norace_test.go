//go:build !race

package kaizen_test

const raceEnabled = false
