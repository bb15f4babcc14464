//go:build !race

package queuetest

// otherJobs is how many there are besides those a claim is for.
const otherJobs = 100_000
