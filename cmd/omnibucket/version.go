package main

import (
	"cmp"
	"runtime/debug"
)

// release is the tag of the library from which a release was built, such as v0.1.0. The linker sets
// it: the Go command only knows tags of this module, cmd/omnibucket/v0.1.0.
var release string

// version returns the version from which the program was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "omnibucket " + cmp.Or(release, "of an unknown version")
	}
	text := "omnibucket " + cmp.Or(release, info.Main.Version)
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			text += " " + setting.Value
		}
	}
	return text + " " + info.GoVersion
}
