// Package tempfile creates temporary files that disappear even if the process is killed, on systems
// that permit that.
package tempfile

import "os"

// Create creates a file in [os.TempDir] and removes its name. The system then frees the file when
// it is closed or the process ends. On Windows, an open file cannot lose its name, and only [Close]
// removes the file.
func Create(pattern string) (*os.File, error) {
	f, err := os.CreateTemp("", pattern)
	if err == nil {
		_ = os.Remove(f.Name()) // fails on Windows, where our Close removes the file
	}
	return f, err
}

// Close closes and removes a file that Create made.
func Close(f *os.File) error {
	err := f.Close()
	_ = os.Remove(f.Name())
	return err
}
