package main

import "syscall"

// dieWithParent makes the kernel end a server when this process dies.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
