package localfile

import "path/filepath"

// FromURL converts the path of a file: URL to a path of the operating system, such as C:\data for
// /C:/data on Windows.
func FromURL(path string, windows bool) string {
	if windows && len(path) >= 3 && path[0] == '/' && path[2] == ':' {
		path = path[1:]
	}
	return filepath.FromSlash(path)
}
