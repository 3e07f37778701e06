package main

import "github.com/omnibucket/storage/internal/words"

// release is the version tag of the library, such as v0.1.0, from which this program was built. The
// linker sets the variable. The Go command would know only the tag of this module, such as
// cmd/omnibucket/v0.1.0.
var release string

func version() string { return words.Version("omnibucket", release) }
