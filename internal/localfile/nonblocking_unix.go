//go:build unix

package localfile

import "syscall"

// Nonblocking prevents open from blocking if a pipe has replaced a file.
const Nonblocking = syscall.O_NONBLOCK
