//go:build !unix

package transfer

// nonblocking is 0 on systems whose file names are never pipes.
const nonblocking = 0
