//go:build unix

package transfer

import "syscall"

// nonblocking has the opening of a pipe, where a file was a moment ago, return.
const nonblocking = syscall.O_NONBLOCK
