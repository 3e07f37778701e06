package uploads

import "github.com/omnibucket/storage/uploads/internal/filename"

// CleanName returns a file's name in a form that is safe to show. If the name is a path with
// slashes or backslashes, CleanName keeps only the last element. It removes control characters and
// invisible characters. It also removes characters that reverse the direction of text, because they
// could show "gpj.exe" as "exe.jpg". It replaces several spaces by one. The result has at most 255
// bytes. If nothing is left, the result is "file". The result is text and must still be escaped in
// HTML. Do not use it as a key.
func CleanName(name string) string { return filename.Clean(name) }
