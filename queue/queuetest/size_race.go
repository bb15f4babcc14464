//go:build race

package queuetest

// otherJobs is how many there are besides those a claim is for. The race detector
// makes putting them some ten times slower.
const otherJobs = 10_000
