package words

import (
	"cmp"
	"runtime/debug"
)

// Version returns a line such as "omnibucket v0.1.0 go1.26.8". release is the version that the
// linker has set in a released program, or else "", and Go then knows the version only of a program
// built by "go install" from a module.
func Version(program, release string) string {
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
