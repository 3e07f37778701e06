package redact

import (
	"fmt"
	"strconv"
)

const maxShown = 1024 // largest number of bytes that are shown; the longest key has as many

// Quoted returns text from outside the program in quotes, for use in an error. Text after 1,024
// bytes is cut off.
func Quoted(text string) string {
	if len(text) <= maxShown {
		return strconv.Quote(text)
	}
	return fmt.Sprintf("%q… (%d bytes)", text[:maxShown], len(text))
}
