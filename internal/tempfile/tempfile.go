// Package tempfile creates temporary files that a killed process does not leave, if the system permits that.
package tempfile

import "os"

// Create creates a file in [os.TempDir]. It has no name any more, except on Windows.
func Create(pattern string) (*os.File, error) {
	f, err := os.CreateTemp("", pattern)
	if err == nil {
		_ = os.Remove(f.Name()) // fails on Windows, where Close removes it
	}
	return f, err
}

// Close closes and removes a file of Create.
func Close(f *os.File) error {
	err := f.Close()
	_ = os.Remove(f.Name())
	return err
}
