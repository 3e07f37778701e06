// Package hexid makes random names in hexadecimal, for stored formats that require hexadecimal
// digits. All other random names come from [crypto/rand.Text].
package hexid

import (
	"crypto/rand"
	"encoding/hex"
)

// New returns the hexadecimal digits of random bytes, in lower case. bytes is the number of random
// bytes.
func New(bytes int) string {
	id := make([]byte, bytes)
	_, _ = rand.Read(id) // never fails
	return hex.EncodeToString(id)
}
