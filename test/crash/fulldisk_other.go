//go:build !linux

package main

func needsMount() string { return "a small file system is mounted on Linux alone" }

func fullWhileQueueing(*run) ([]string, error)   { return nil, nil }
func fullWhileDelivering(*run) ([]string, error) { return nil, nil }
