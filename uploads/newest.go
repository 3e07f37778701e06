package uploads

import (
	"crypto/rand"
	"time"

	"github.com/omnibucket/storage/uploads/internal/timeid"
)

// Newest returns a text for keys. If all keys have such a text at the same place, a listing begins
// with the newest file. The text has 36 lower-case letters and digits. It consists of the inverted
// time in milliseconds and 128 random bits. In Config.Key, {newest} stands for such a text.
func Newest(t time.Time) string {
	var random [timeid.Random]byte
	// It never fails.
	_, _ = rand.Read(random[:])
	return timeid.Newest(t, random)
}
