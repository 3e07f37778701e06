package main

import "syscall"

// dieWithParent makes the kernel kill a server when the thread that has started it ends.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
