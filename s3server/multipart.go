package s3server

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// An upload collects parts until they become an object. Handler.mu guards parts; the
// other fields never change.
type upload struct {
	id, key   string
	initiated time.Time
	initiator string // the account
	object           // without bytes
	kind      *checksumKind
	covers    string
	asked     bool // the client named the algorithm
	parts     map[int]*part
}

// A part is replaced and never changed.
type part struct {
	number   int
	etag     string
	size     int64
	pieces   []piece
	sum      checksum
	modified time.Time
}

func newPart(number int, pieces []piece, d *digest, at time.Time) *part {
	return &part{
		number: number, pieces: pieces, size: d.size, sum: d.checksum(), modified: at,
		etag: `"` + hex.EncodeToString(d.md5.Sum(nil)) + `"`,
	}
}

// pieces returns the pieces of all parts.
func (u *upload) pieces() (all []piece) {
	for _, p := range u.parts {
		all = append(all, p.pieces...)
	}
	return all
}

// shown returns a checksum if the client named an algorithm. S3 returns other checksums
// only with the object.
func (u *upload) shown(sum checksum) checksum {
	if !u.asked {
		return checksum{}
	}
	return sum
}

type createUploadResult struct {
	XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
	Xmlns    string   `xml:"xmlns,attr"`
	Bucket   string
	Key      text
	UploadID string `xml:"UploadId"`
}

func (r *request) createUpload() error {
	if err := noWriteCondition(r.Header); err != nil {
		return err
	}
	o, err := r.newObject(r.Header)
	if err != nil {
		return err
	}
	u := &upload{id: rand.Text() + rand.Text(), key: r.key, initiated: r.server.now(), initiator: r.caller.account, object: *o, parts: map[int]*part{}}
	if err := u.readChecksum(r.Header); err != nil {
		return err
	}
	err = r.change(func(b *bucket) ([]piece, error) {
		b.uploads[u.id] = u
		return nil, nil
	})
	if err != nil {
		return err
	}
	u.encryption.write(r.w.Header())
	if u.asked {
		r.w.Header().Set("X-Amz-Checksum-Algorithm", u.kind.name)
		r.w.Header().Set("X-Amz-Checksum-Type", u.covers)
	}
	return r.writeXML(createUploadResult{Xmlns: namespace, Bucket: r.bucket, Key: text(r.key), UploadID: u.id})
}

// readChecksum finds out how the upload is checksummed.
func (u *upload) readChecksum(header http.Header) error {
	name, covers := header.Get("X-Amz-Checksum-Algorithm"), header.Get("X-Amz-Checksum-Type")
	if name == "" {
		if covers != "" {
			return newError("InvalidRequest").withMessage("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		u.kind, u.covers = defaultChecksum, fullObject
		return nil
	}
	if u.kind = kindByName(name); u.kind == nil {
		return unknownAlgorithm()
	}
	u.asked, u.covers = true, covers
	switch {
	case covers == "" && u.kind.composite:
		u.covers = composite
	case covers == "":
		u.covers = fullObject
	case covers != fullObject && covers != composite:
		return newError("InvalidRequest").withMessage("Value for x-amz-checksum-type header is invalid.")
	}
	if u.covers == fullObject && !u.kind.full || u.covers == composite && !u.kind.composite {
		return newError("InvalidRequest").withMessage("The %s checksum type cannot be used with the %s checksum algorithm.", u.covers, u.kind.label())
	}
	return nil
}

// upload returns the upload that a request names.
func (r *request) upload() (u *upload, err error) {
	err = r.view(func(b *bucket) error {
		u, err = b.findUpload(r.key, r.query.Get("uploadId"))
		return err
	})
	return u, err
}

func (b *bucket) findUpload(key, id string) (*upload, error) {
	u, found := b.uploads[id]
	if !found || u.key != key {
		return nil, newError("NoSuchUpload", "UploadId", id)
	}
	return u, nil
}

func (r *request) partNumber() (int, error) {
	value, most := r.query.Get("partNumber"), r.server.limits.MaxParts
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, newError("InvalidArgument", "ArgumentName", "partNumber", "ArgumentValue", value).
			withMessage("Part number must be an integer between 1 and %d, inclusive", most)
	}
	return n, nil
}

func (r *request) uploadPart() error {
	if err := noWriteCondition(r.Header); err != nil {
		return err
	}
	if value := r.Header.Get("X-Amz-Tagging"); value != "" {
		return newError("InvalidArgument", "ArgumentName", "x-amz-tagging", "ArgumentValue", value).withMessage("The header 'x-amz-tagging' is not valid in this context")
	}
	number, err := r.partNumber()
	if err != nil {
		return err
	}
	u, err := r.upload()
	if err != nil {
		return err
	}
	if err := r.checkPart(u); err != nil {
		return err
	}
	promised, err := r.expectBody()
	if err != nil {
		return err
	}
	if err := u.checkKind(promised); err != nil {
		return err
	}
	if err := r.needChecksum(promised, u.lock, "Part"); err != nil {
		return err
	}
	stored, d, err := r.store(promised, r.server.limits.MaxPartSize)
	if err != nil {
		return err
	}
	p := newPart(number, []piece{stored}, d, r.server.now())
	p.etag = u.encryption.tag(p.etag)
	if err := r.addPart(u, p); err != nil {
		return err
	}
	u.encryption.write(r.w.Header())
	r.w.Header().Set("Etag", p.etag)
	if promised.given != nil || u.asked {
		if p.sum.kind != nil {
			r.w.Header().Set(p.sum.kind.header, p.sum.value)
		}
	}
	return r.done(http.StatusOK)
}

// checkKind refuses a part with another checksum algorithm than its upload.
func (u *upload) checkKind(p *expectedBody) error {
	given := "null"
	if p.given != nil {
		given = p.given.label()
	}
	wrong := u.asked && p.given != u.kind && (p.given != nil || u.covers == composite)
	if wrong {
		return newError("InvalidRequest").withMessage("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", u.kind.label(), given)
	}
	if p.given == nil {
		p.kind = u.kind
	}
	return nil
}

// addPart adds p, whose pieces are retained, or replaces the part with its number.
func (r *request) addPart(u *upload, p *part) error {
	err := r.change(func(b *bucket) (unused []piece, err error) {
		if b.uploads[u.id] != u {
			return nil, newError("NoSuchUpload", "UploadId", u.id) // ended meanwhile
		}
		if old := u.parts[p.number]; old != nil {
			unused = old.pieces
		}
		u.parts[p.number] = p
		return unused, nil
	})
	if err != nil {
		r.server.blobs.release(p.pieces)
	}
	return err
}

func (r *request) abortUpload() error {
	err := r.change(func(b *bucket) ([]piece, error) {
		u, err := b.findUpload(r.key, r.query.Get("uploadId"))
		if err != nil {
			return nil, err
		}
		delete(b.uploads, u.id)
		return u.pieces(), nil
	})
	if err != nil {
		return err
	}
	return r.done(http.StatusNoContent)
}

// numbers returns the numbers of the parts, ascending.
func (u *upload) numbers() []int {
	numbers := make([]int, 0, len(u.parts))
	for n := range u.parts {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers
}
