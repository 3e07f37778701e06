package main

import "syscall"

// dieWithParent has the kernel end a server when this process is killed and
// cannot do so itself.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
