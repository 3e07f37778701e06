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

// An Upload is a multipart upload in progress.
type Upload struct {
	Bucket, Key, ID string
	Initiated       time.Time
	Initiator       string // account that began the upload
	Object          Object // properties of the future object, which has no bytes yet
	Kind            *checksum.Kind
	Covers          string
	HasAlgorithm    bool // true if the client named the checksum algorithm
}

// Begin sets the id and the time of a new upload. The id begins with the time, so sorting by id
// also sorts by time. A page of a listing begins after the last id of the page before. The page
// does not need the upload with that id, which may have ended.
func (u *Upload) Begin(now time.Time) {
	u.ID = fmt.Sprintf("%016x", uint64(now.UnixNano())) + rand.Text()
	u.Initiated = now
}

// An UploadPage collects one page of a listing of uploads. Uploads are sorted by key, and uploads
// to one key by their time.
type UploadPage struct {
	Listing Listing
	After   UploadPosition
	items   []uploadItem
}

// An uploadItem is an upload whose key is name. If upload is nil, name is a common prefix.
type uploadItem struct {
	upload   *Upload
	name, id string
}

// Add adds an upload, or its common prefix, to the page if it belongs there. The page sorts the uploads, so that Add
// may be called in any order.
func (p *UploadPage) Add(u *Upload) {
	if !p.After.precedes(u) || !strings.HasPrefix(u.Key, p.Listing.Prefix) {
		return
	}

	item := uploadItem{upload: u, name: u.Key, id: u.ID}
	if common, isPrefix := p.Listing.CommonPrefix(u.Key); isPrefix {
		if common == p.After.Key {
			// An earlier page has shown the common prefix.
			return
		}
		item = uploadItem{name: common}
	}

	// The item exists if another upload has the same common prefix.
	i, exists := slices.BinarySearchFunc(p.items, item, func(a, b uploadItem) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.id, b.id))
	})
	if exists {
		return
	}

	// One item more than a page has shows that further entries follow.
	p.items = slices.Insert(p.items, i, item)
	p.items = p.items[:min(len(p.items), p.Listing.Max+1)]
}

// precedes reports whether the position is before an upload in a listing.
func (p UploadPosition) precedes(u *Upload) bool {
	if u.Key != p.Key {
		return u.Key > p.Key
	}
	return p.ID != "" && u.ID > p.ID
}

// Show passes each upload and common prefix of the page to show, and reports whether further entries
// follow the page.
func (p *UploadPage) Show(show func(u *Upload, common string)) (hasMore bool) {
	for _, item := range p.items[:min(len(p.items), p.Listing.Max)] {
		show(item.upload, item.name)
	}
	return p.Listing.Max > 0 && len(p.items) > p.Listing.Max
}

// A Part is a part of an upload. A change replaces the Part and never modifies it.
type Part struct {
	Number   int
	ETag     string
	Size     int64
	Data     any // the store's reference to the bytes
	Sum      checksum.Sum
	Modified time.Time
}

// NewPart returns the part of an upload with the bytes that were written to the digest d.
func NewPart(u *Upload, number int, d *checksum.Digest, t time.Time) *Part {
	return &Part{
		Number:   number,
		Size:     d.Size,
		Sum:      d.Sum(),
		Modified: t,
		ETag:     u.Object.Encryption.Tag(`"` + hex.EncodeToString(d.MD5.Sum(nil)) + `"`),
	}
}

// SumsOf returns the sizes and checksums of parts.
func SumsOf(parts []*Part) []checksum.Part {
	sums := make([]checksum.Part, len(parts))
	for i, p := range parts {
		sums[i] = checksum.Part{Value: p.Sum.Value, Size: p.Size}
	}
	return sums
}

// Shown returns the checksum of a part as a response shows it. If the client named no algorithm when it began the
// upload, S3 shows only the checksum of the whole object, and Shown returns none.
func (u *Upload) Shown(sum checksum.Sum) checksum.Sum {
	if !u.HasAlgorithm {
		return checksum.Sum{}
	}
	return sum
}

// SumOf returns the checksum of the object that consists of these parts.
func (u *Upload) SumOf(parts []*Part) checksum.Sum {
	if u.Covers == checksum.Composite {
		return checksum.CompositeOf(u.Kind, SumsOf(parts))
	}
	return checksum.JoinedSum(u.Kind, SumsOf(parts))
}

// NoUpload returns the error for an upload that does not exist.
func NoUpload(id string) error { return s3error.New("NoSuchUpload", "UploadId", id) }
