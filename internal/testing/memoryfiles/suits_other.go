//go:build !linux

package memoryfiles

func suits(string) bool { return false }
