//go:build !linux

package main

// memory returns a directory in memory for the data of servers, or "".
func memory() string { return "" }
