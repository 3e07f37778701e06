package uploads

import (
	"crypto/rand"
	"time"

	"github.com/omnibucket/storage/internal/timeid"
)

// Newest returns a text for keys whose listing should begin with the newest file. The text has 36
// lower-case letters and digits: the time in milliseconds, inverted, and then 128 random bits. All
// keys must have it at the same place. In Config.Key, {newest} stands for such a text.
func Newest(at time.Time) string {
	var random [timeid.Random]byte
	_, _ = rand.Read(random[:]) // never fails
	return timeid.Newest(at, random)
}
