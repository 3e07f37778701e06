// Package hexid makes random names in hexadecimal, for stored formats that require it.
// Anything else uses crypto/rand.Text.
package hexid

import (
	"crypto/rand"
	"encoding/hex"
)

// New returns a name of that many random bytes, in lower case.
func New(bytes int) string {
	id := make([]byte, bytes)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}
