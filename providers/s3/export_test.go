package s3

import (
	"testing"

	"github.com/omnibucket/storage"
)

// ShortenRaces has Probe race for a conditional delete three times instead of 50.
func ShortenRaces(t *testing.T) {
	races := deleteRaces
	deleteRaces = 3
	t.Cleanup(func() { deleteRaces = races })
}

// LowerCopyLimit has d copy what is larger than limit in parts of limit bytes.
func LowerCopyLimit(d storage.Driver, limit int64) {
	d.(*driver).copyLimit, d.(*driver).copyPart = limit, limit
}
