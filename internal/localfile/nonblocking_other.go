//go:build !unix

package localfile

// Nonblocking is 0, because on these systems the name of a file never leads to a pipe.
const Nonblocking = 0
