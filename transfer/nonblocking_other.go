//go:build !unix

package transfer

// nonblocking is nothing where no file name is a pipe.
const nonblocking = 0
