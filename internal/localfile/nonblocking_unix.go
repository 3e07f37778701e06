//go:build unix

package localfile

import "syscall"

// Nonblocking is a flag for os.OpenFile. With it, opening does not block if a pipe has replaced the
// file.
const Nonblocking = syscall.O_NONBLOCK
