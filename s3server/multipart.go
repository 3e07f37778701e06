package s3server

import (
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strconv"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// An upload collects parts until they become an object.
type upload struct {
	bucket, key, id string
	initiated       time.Time
	initiator       string // the account
	object          object // without bytes
	kind            *checksumKind
	covers          string
	asked           bool // the client named the algorithm
}

// A part is replaced and never changed.
type part struct {
	number   int
	etag     string
	size     int64
	data     any // where the store has the bytes
	sum      checksum
	modified time.Time
}

func newPart(u *upload, number int, d *digest, at time.Time) *part {
	return &part{
		number: number, size: d.size, sum: d.checksum(), modified: at,
		etag: u.object.encryption.tag(`"` + hex.EncodeToString(d.md5.Sum(nil)) + `"`),
	}
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
	Key      xmldoc.Text
	UploadID string `xml:"UploadId"`
}

func createUpload(r *request) error {
	if err := noWriteCondition(r.Header); err != nil {
		return err
	}
	o, err := newObject(r, r.Header)
	if err != nil {
		return err
	}
	u := &upload{bucket: r.target.bucket, key: r.target.key, initiator: r.caller.account, object: *o}
	if err := u.readChecksum(r.Header); err != nil {
		return err
	}
	if err := r.server.store.beginUpload(r.Context(), u); err != nil {
		return err
	}
	u.object.encryption.write(r.w.Header())
	showAbortion(r, u)
	if u.asked {
		r.w.Header().Set("X-Amz-Checksum-Algorithm", u.kind.name)
		r.w.Header().Set("X-Amz-Checksum-Type", u.covers)
	}
	return r.writeXML(createUploadResult{Xmlns: xmldoc.Namespace, Bucket: r.target.bucket, Key: xmldoc.Text(r.target.key), UploadID: u.id})
}

// readChecksum finds out how the upload is checksummed.
func (u *upload) readChecksum(header http.Header) error {
	name, covers := header.Get("X-Amz-Checksum-Algorithm"), header.Get("X-Amz-Checksum-Type")
	if name == "" {
		if covers != "" {
			return s3error.New("InvalidRequest").WithMessage("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		u.kind, u.covers = defaultChecksum, fullObject
		return nil
	}
	var err error
	if u.kind, err = kindNamed(name); err != nil {
		return err
	}
	u.asked, u.covers = true, covers
	switch {
	case covers == "" && u.kind.composite:
		u.covers = composite
	case covers == "":
		u.covers = fullObject
	case covers != fullObject && covers != composite:
		return s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-type header is invalid.")
	}
	if u.covers == fullObject && !u.kind.full || u.covers == composite && !u.kind.composite {
		return s3error.New("InvalidRequest").WithMessage("The %s checksum type cannot be used with the %s checksum algorithm.", u.covers, u.kind.label())
	}
	return nil
}

// upload returns the upload that a request names.
func (r *request) upload() (*upload, error) {
	return r.server.store.upload(r.Context(), r.target.bucket, r.target.key, r.query.Get("uploadId"))
}

func partNumber(r *request) (int, error) {
	value, most := r.query.Get("partNumber"), r.server.limits.MaxParts
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > most {
		return 0, s3error.New("InvalidArgument", "ArgumentName", "partNumber", "ArgumentValue", value).
			WithMessage("Part number must be an integer between 1 and %d, inclusive", most)
	}
	return n, nil
}

// partTarget returns the upload and the number of a part that is written.
func partTarget(r *request) (u *upload, number int, err error) {
	if number, err = partNumber(r); err != nil {
		return nil, 0, err
	}
	if u, err = r.upload(); err != nil {
		return nil, 0, err
	}
	return u, number, checkPart(r, u)
}

func uploadPart(r *request) error {
	if err := noWriteCondition(r.Header); err != nil {
		return err
	}
	if value := r.Header.Get("X-Amz-Tagging"); value != "" {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-tagging", "ArgumentValue", value).WithMessage("The header 'x-amz-tagging' is not valid in this context")
	}
	u, number, err := partTarget(r)
	if err != nil {
		return err
	}
	promised, err := r.expectBody()
	if err != nil {
		return err
	}
	if err := u.checkKind(promised); err != nil {
		return err
	}
	if err := r.needChecksum(promised, u.object.lock, "Part"); err != nil {
		return err
	}
	b, err := r.openBody(promised, r.server.limits.MaxPartSize)
	if err != nil {
		return err
	}
	p, err := r.server.store.putPart(r.Context(), u, number, b)
	if err != nil {
		return b.blame(err)
	}
	u.object.encryption.write(r.w.Header())
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
	wrong := u.asked && (p.given != u.kind && (p.given != nil || u.covers == composite) || p.named && p.kind != u.kind)
	if wrong {
		return s3error.New("InvalidRequest").WithMessage("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", u.kind.label(), given)
	}
	if p.given == nil {
		p.kind = u.kind
	}
	return nil
}

func abortUpload(r *request) error {
	u, err := r.upload()
	if err != nil {
		return err
	}
	if err := r.server.store.abort(r.Context(), u); err != nil {
		return err
	}
	return r.done(http.StatusNoContent)
}
