package local

import "testing"

// runUnprivileged does nothing: on Windows, modes forbid nothing.
func runUnprivileged(*testing.T) bool { return false }
