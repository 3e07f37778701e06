package main

import "runtime/debug"

// version returns the version from which the program was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "omnibucket, unknown version"
	}
	text := "omnibucket " + info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			text += " " + setting.Value
		}
	}
	return text + " " + info.GoVersion
}
