package state

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// An Upload collects parts until they become an object.
type Upload struct {
	Bucket, Key, ID string
	Initiated       time.Time
	Initiator       string // account that has begun it
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

// An UploadPage collects a page of a listing of uploads, by key, and by time for one key.
type UploadPage struct {
	Listing Listing
	After   UploadPosition
	items   []uploadItem
}

// An uploadItem is an upload to the key name or, without one, the common prefix name.
type uploadItem struct {
	upload   *Upload
	name, id string
}

// Add adds an upload, unless it is on another page.
func (p *UploadPage) Add(u *Upload) {
	later := u.Key > p.After.Key || p.After.ID != "" && u.Key == p.After.Key && u.ID > p.After.ID
	if !later || !strings.HasPrefix(u.Key, p.Listing.Prefix) {
		return
	}
	item := uploadItem{u, u.Key, u.ID}
	if common, rolled := p.Listing.CommonPrefix(u.Key); rolled && common == p.After.Key {
		return
	} else if rolled {
		item = uploadItem{name: common}
	}
	i, found := slices.BinarySearchFunc(p.items, item, func(a, b uploadItem) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.id, b.id))
	})
	if !found {
		p.items = slices.Insert(p.items, i, item)
		p.items = p.items[:min(len(p.items), p.Listing.Max+1)]
	}
}

// Show shows the page as [Store] does.
func (p *UploadPage) Show(show func(u *Upload, common string)) (more bool) {
	for _, item := range p.items[:min(len(p.items), p.Listing.Max)] {
		show(item.upload, item.name)
	}
	return p.Listing.Max > 0 && len(p.items) > p.Listing.Max
}

// A Part is a part of an upload. It is replaced and never changed.
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

// Shown returns sum if the client named an algorithm, and otherwise none. S3 returns other
// checksums only with the object.
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

// NoUpload returns the error for an upload that does not exist.
func NoUpload(id string) error { return s3error.New("NoSuchUpload", "UploadId", id) }
