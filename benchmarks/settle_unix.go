//go:build unix

package main

import "syscall"

// settle has the disk write what the row before left to it, so that the next
// does not pay for that.
func settle() { syscall.Sync() }
