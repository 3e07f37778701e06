package s3server

import (
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"strconv"
	"time"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// An upload collects parts until they become an object.
type upload struct {
	bucket, key, id string
	initiated       time.Time
	initiator       string // the account
	object          object // without bytes
	kind            *checksum.Kind
	covers          string
	asked           bool // the client named the algorithm
}

// A part is replaced and never changed.
type part struct {
	number   int
	etag     string
	size     int64
	data     any // where the store has the bytes
	sum      checksum.Sum
	modified time.Time
}

func newPart(u *upload, number int, d *checksum.Digest, at time.Time) *part {
	return &part{
		number: number, size: d.Size, sum: d.Sum(), modified: at,
		etag: u.object.encryption.tag(`"` + hex.EncodeToString(d.MD5.Sum(nil)) + `"`),
	}
}

// sumsOf returns the checksums of parts.
func sumsOf(parts []*part) []checksum.Part {
	sums := make([]checksum.Part, len(parts))
	for i, p := range parts {
		sums[i] = checksum.Part{Value: p.sum.Value, Size: p.size}
	}
	return sums
}

// shown returns a checksum if the client named an algorithm. S3 returns other checksums
// only with the object.
func (u *upload) shown(sum checksum.Sum) checksum.Sum {
	if !u.asked {
		return checksum.Sum{}
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
		r.w.Header().Set("X-Amz-Checksum-Algorithm", u.kind.Name)
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
		u.kind, u.covers = checksum.Default, checksum.FullObject
		return nil
	}
	var err error
	if u.kind, err = checksum.Named(name); err != nil {
		return err
	}
	u.asked, u.covers = true, covers
	switch {
	case covers == "" && u.kind.Composite:
		u.covers = checksum.Composite
	case covers == "":
		u.covers = checksum.FullObject
	case covers != checksum.FullObject && covers != checksum.Composite:
		return s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-type header is invalid.")
	}
	if u.covers == checksum.FullObject && !u.kind.Full || u.covers == checksum.Composite && !u.kind.Composite {
		return s3error.New("InvalidRequest").WithMessage("The %s checksum type cannot be used with the %s checksum algorithm.", u.covers, u.kind.Label())
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
		if p.sum.Kind != nil {
			r.w.Header().Set(p.sum.Kind.Header, p.sum.Value)
		}
	}
	return r.done(http.StatusOK)
}

// checkKind refuses a part with another checksum algorithm than its upload.
func (u *upload) checkKind(p *expectedBody) error {
	given := "null"
	if p.given != nil {
		given = p.given.Label()
	}
	wrong := u.asked && (p.given != u.kind && (p.given != nil || u.covers == checksum.Composite) || p.named && p.kind != u.kind)
	if wrong {
		return s3error.New("InvalidRequest").WithMessage("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", u.kind.Label(), given)
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
