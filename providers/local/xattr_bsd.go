//go:build darwin || freebsd

package local

import "golang.org/x/sys/unix"

// errNoXattr is the error of a file without the attribute.
const errNoXattr = unix.ENOATTR
