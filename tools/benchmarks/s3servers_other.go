//go:build !linux

package main

// s3ServerCases returns none: they need what Linux tells about processes.
func s3ServerCases() []benchCase { return nil }
