//go:build unix

package main

import "syscall"

// flushDisk waits until the disk has written the data of the previous row.
func flushDisk() { syscall.Sync() }
