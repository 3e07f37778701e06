//go:build !linux

package main

import "syscall"

// dieWithParent does nothing where the kernel has no such thing: servers of a
// process that was killed have to be ended by hand.
func dieWithParent(*syscall.SysProcAttr) {}
