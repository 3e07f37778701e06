//go:build darwin || freebsd

package local

import "golang.org/x/sys/unix"

// noXattr is what a file without the attribute answers.
const noXattr = unix.ENOATTR
