package local

import "testing"

// byNobody is of no use here: nothing is forbidden by a mode.
func byNobody(*testing.T) bool { return false }
