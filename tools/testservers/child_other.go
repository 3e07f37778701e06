//go:build !linux

package main

import "syscall"

// dieWithParent does nothing, because this system cannot kill servers automatically. If this
// process is killed, its servers must be ended by hand.
func dieWithParent(*syscall.SysProcAttr) {}
