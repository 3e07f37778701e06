//go:build !unix

package localfile

// Nonblocking is 0 on systems whose file names are never pipes.
const Nonblocking = 0
