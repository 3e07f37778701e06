package main

import "github.com/omnibucket/storage/internal/programversion"

// release is the tag of the library from which a release was built, such as v0.1.0. The linker sets
// it: the Go command only knows tags of this module, cmd/omnibucket/v0.1.0.
var release string

func version() string { return programversion.Of("omnibucket", release) }
