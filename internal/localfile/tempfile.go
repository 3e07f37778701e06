package localfile

import "os"

// CreateTemp creates a file in [os.TempDir] without a name, which the system frees when the file is
// closed or the process ends.
//
// On Windows, an open file cannot lose its name, and only [CloseTemp] removes it.
func CreateTemp(pattern string) (*os.File, error) {
	f, err := os.CreateTemp("", pattern)
	if err == nil {
		// Remove fails on Windows, where CloseTemp removes the file.
		_ = os.Remove(f.Name())
	}
	return f, err
}

// CloseTemp closes and removes a file that CreateTemp made.
func CloseTemp(f *os.File) error {
	err := f.Close()
	_ = os.Remove(f.Name())
	return err
}
