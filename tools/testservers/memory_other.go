//go:build !linux

package main

// memory always returns "". This program uses a directory in memory only on Linux.
func memory() string { return "" }
