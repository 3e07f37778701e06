//go:build !linux

package main

// s3ServerCases returns no cases, because only Linux permits measuring another process in the
// necessary way.
func s3ServerCases() []benchCase { return nil }
