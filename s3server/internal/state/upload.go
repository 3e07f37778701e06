package state

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// An Upload collects parts until they become an object.
type Upload struct {
	Bucket, Key, ID string
	Initiated       time.Time
	Initiator       string // the account
	Object          Object // without bytes
	Kind            *checksum.Kind
	Covers          string
	Asked           bool // the client named the algorithm
}

// Begin gives a new upload an id that begins with its time, so that a listing can continue after an
// upload that has ended.
func (u *Upload) Begin(now time.Time) {
	u.ID, u.Initiated = fmt.Sprintf("%016x", uint64(now.UnixNano()))+rand.Text(), now
}

// CompareUploads orders uploads by key, and by time for one key.
func CompareUploads(a, b *Upload) int {
	return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.ID, b.ID))
}

// A Part is replaced and never changed.
type Part struct {
	Number   int
	ETag     string
	Size     int64
	Data     any // where the store has the bytes
	Sum      checksum.Sum
	Modified time.Time
}

// NewPart returns a part whose bytes were read into a digest.
func NewPart(u *Upload, number int, d *checksum.Digest, at time.Time) *Part {
	return &Part{
		Number: number, Size: d.Size, Sum: d.Sum(), Modified: at,
		ETag: u.Object.Encryption.Tag(`"` + hex.EncodeToString(d.MD5.Sum(nil)) + `"`),
	}
}

// SumsOf returns the checksums of parts.
func SumsOf(parts []*Part) []checksum.Part {
	sums := make([]checksum.Part, len(parts))
	for i, p := range parts {
		sums[i] = checksum.Part{Value: p.Sum.Value, Size: p.Size}
	}
	return sums
}

// Shown returns a checksum if the client named an algorithm. S3 returns other checksums
// only with the object.
func (u *Upload) Shown(sum checksum.Sum) checksum.Sum {
	if !u.Asked {
		return checksum.Sum{}
	}
	return sum
}

// SumOf returns the checksum of an object that consists of the parts.
func (u *Upload) SumOf(parts []*Part) checksum.Sum {
	if u.Covers == checksum.Composite {
		return checksum.CompositeOf(u.Kind, SumsOf(parts))
	}
	return checksum.JoinedSum(u.Kind, SumsOf(parts))
}

// NoUpload returns the error of an upload that is not there.
func NoUpload(id string) error { return s3error.New("NoSuchUpload", "UploadId", id) }
