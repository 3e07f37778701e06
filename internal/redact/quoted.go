package redact

import (
	"fmt"
	"strconv"
)

const maxShown = 1024 // bytes, as many as a key may have

// Quoted returns text from outside in the form for an error: in quotes, and at most 1,024
// bytes.
func Quoted(text string) string {
	if len(text) <= maxShown {
		return strconv.Quote(text)
	}
	return fmt.Sprintf("%q… (%d bytes)", text[:maxShown], len(text))
}
