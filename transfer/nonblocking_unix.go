//go:build unix

package transfer

import "syscall"

// nonblocking prevents open from blocking if a pipe has replaced a file.
const nonblocking = syscall.O_NONBLOCK
