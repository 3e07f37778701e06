// Package programversion says from which version a program was built.
package programversion

import (
	"cmp"
	"runtime/debug"
)

// Of returns a line such as "omnibucket v0.1.0 go1.26.8". The linker sets release for the programs of a
// release: the Go command knows the version of a program only if it has installed it as a module.
func Of(program, release string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return program + " " + cmp.Or(release, "of an unknown version")
	}
	text := program + " " + cmp.Or(release, info.Main.Version)
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			text += " " + setting.Value
		}
	}
	return text + " " + info.GoVersion
}
