package main

import (
	"io"
	"os"
	"path/filepath"
)

// programName is the name of the program in Velero's directory of plugins.
const programName = "velero-plugin-for-omnibucket"

// install copies this program into a directory, and replaces an earlier version in one step. The
// copy is not executable before it is complete, because Velero starts each executable file of the
// directory.
func install(dir string) (err error) {
	path, err := os.Executable()
	if err != nil {
		return err
	}

	src, err := os.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()

	dst, err := os.CreateTemp(dir, programName+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(dst.Name())
		}
	}()

	if _, err = io.Copy(dst, src); err != nil {
		_ = dst.Close()
		return err
	}
	if err = dst.Close(); err != nil {
		return err
	}

	// The copy is complete, so Velero may start it.
	if err = os.Chmod(dst.Name(), 0o755); err != nil {
		return err
	}
	return os.Rename(dst.Name(), filepath.Join(dir, programName))
}
