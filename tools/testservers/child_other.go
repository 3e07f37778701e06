//go:build !linux

package main

import "syscall"

// dieWithParent has no effect on this system. If this process is killed, its servers
// must be ended by hand.
func dieWithParent(*syscall.SysProcAttr) {}
