package s3server

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type completeRequest struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Part    []completedPart
	Unknown xmldoc.Unknown `xml:",any"`
}

type completedPart struct {
	PartNumber int
	ETag       string
	checksum.Elements
	checksum.MissingElements
	Unknown xmldoc.Unknown `xml:",any"`
}

// A completion is a request to make an object of parts.
type completion struct {
	upload *upload
	parts  []completedPart
	sum    checksum.Sum // kind is nil if not asserted
	covers string       // "" if not asserted
	size   int64        // -1 if not asserted
}

type completeResult struct {
	XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
	Xmlns    string   `xml:"xmlns,attr"`
	Location xmldoc.Text
	Bucket   string
	Key      xmldoc.Text
	ETag     string
	checksum.Elements
	ChecksumType string `xml:",omitempty"`
}

// completeUpload makes an object of the parts and ends the upload. A second completion with the
// same parts returns the result of the first.
func completeUpload(r *request) error {
	condition, err := writeConditionOf(r.Header)
	if err != nil {
		return err
	}
	c, err := readCompletion(r)
	if err != nil {
		return err
	}
	u, err := complete(r, c, condition)
	if err != nil {
		if u = finishedBefore(r, c, err); u == nil {
			return err
		}
	}
	return writeFinished(r, u)
}

// complete completes the upload that the request names.
func complete(r *request, c *completion, condition writeCondition) (*finishedUpload, error) {
	defer r.server.finished.begin(r.query.Get("uploadId"))()
	if err := findUpload(r, c); err != nil {
		return nil, err
	}
	parts, err := chosen(r, c)
	if err != nil {
		return nil, err
	}
	o := c.upload.object // a copy
	if err := join(&o, c, parts); err != nil {
		return nil, err
	}
	v, shown, err := r.server.store.complete(r.Context(), r.write(&o, condition), c.upload, parts)
	if err != nil {
		return nil, err
	}
	written(r, v, shown)
	u := &finishedUpload{
		bucket: r.target.bucket, key: r.target.key, parts: c.fingerprint(), header: finishedHeader(r),
		result: r.completeResult(v),
	}
	r.server.finished.add(c.upload.id, u)
	return u, nil
}

func (r *request) completeResult(v *version) completeResult {
	return completeResult{
		Xmlns: xmldoc.Namespace, Location: xmldoc.Text(r.location()),
		Bucket: r.target.bucket, Key: xmldoc.Text(r.target.key), ETag: v.object.etag, Elements: checksum.ElementsOf(v.object.sum), ChecksumType: v.object.sum.Covers,
	}
}

// readCompletion reads the request. A checksum in its headers is that of the object, and
// not of its own body.
func readCompletion(r *request) (*completion, error) {
	c := &completion{size: -1, covers: r.Header.Get("X-Amz-Checksum-Type")}
	var err error
	if c.sum, err = checksum.OfHeader(r.Header); err != nil {
		return nil, err
	}
	if c.sum.Kind != nil {
		r.Header.Del(c.sum.Kind.Header)
		r.Header.Del(checksum.SDKAlgorithmHeader)
	}
	r.Header.Del(checksum.AlgorithmHeader)
	r.Header.Del(checksum.TypeHeader)
	if value := r.Header.Get("X-Amz-Mp-Object-Size"); value != "" {
		if c.size, err = strconv.ParseInt(value, 10, 64); err != nil || c.size < 0 {
			return nil, s3error.New("InvalidRequest").WithMessage("Value for x-amz-mp-object-size header is invalid.")
		}
	}
	var asked completeRequest
	if err := r.readXML(&asked); err != nil {
		return nil, err
	}
	unknown := slices.ContainsFunc(asked.Part, func(p completedPart) bool { return p.Unknown != nil }) || asked.Unknown != nil
	if len(asked.Part) == 0 || len(asked.Part) > r.server.limits.MaxParts || unknown {
		return nil, s3error.New("MalformedXML")
	}
	c.parts = asked.Part
	return c, nil
}

// findUpload finds the upload that c completes.
func findUpload(r *request, c *completion) (err error) {
	if c.upload, err = r.upload(); err != nil {
		return err
	}
	if c.upload.asked || r.Header.Get(customerPrefix+"-Key") != "" {
		return checkPart(r, c.upload)
	}
	return nil
}

// chosen returns the parts in the request.
func chosen(r *request, c *completion) ([]*part, error) {
	all, _, err := r.server.store.parts(r.Context(), c.upload, 0, r.server.limits.MaxParts)
	if err != nil {
		return nil, err
	}
	byNumber := make(map[int]*part, len(all))
	for _, p := range all {
		byNumber[p.number] = p
	}
	var parts []*part
	last := 0
	for _, asked := range c.parts {
		if asked.PartNumber <= last {
			return nil, s3error.New("InvalidPartOrder", "UploadId", c.upload.id)
		}
		gap := asked.PartNumber > last+1
		last = asked.PartNumber
		p, found := byNumber[asked.PartNumber]
		if !found || !sameTag(p.etag, asked.ETag) {
			return nil, invalidPart(c.upload, asked)
		}
		if gap && c.upload.asked && r.server.config.Strict { // with checksums, S3 wants all numbers
			return nil, s3error.New("InvalidPartOrder", "UploadId", c.upload.id)
		}
		if err := c.upload.checkPart(p, asked); err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	for _, p := range parts[:len(parts)-1] {
		if least := r.server.limits.MinPartSize; p.size < least {
			return nil, s3error.New("EntityTooSmall", "ProposedSize", strconv.FormatInt(p.size, 10), "MinSizeAllowed", strconv.FormatInt(least, 10),
				"PartNumber", strconv.Itoa(p.number), "ETag", strings.Trim(p.etag, `"`))
		}
	}
	return parts, nil
}

func invalidPart(u *upload, asked completedPart) *s3error.Error {
	return s3error.New("InvalidPart", "UploadId", u.id, "PartNumber", strconv.Itoa(asked.PartNumber), "ETag", strings.Trim(asked.ETag, `"`))
}

// checkPart checks the asserted checksums of a part. With a composite checksum, every
// part must assert its own.
func (u *upload) checkPart(p *part, asked completedPart) error {
	if asked.MissingElements != (checksum.MissingElements{}) {
		return invalidPart(u, asked)
	}
	for _, kind := range checksum.Kinds {
		value := *asked.Of(kind)
		if value == "" {
			continue
		}
		if kind != p.sum.Kind || value != p.sum.Value {
			return invalidPart(u, asked)
		}
		return nil
	}
	if u.asked && u.covers == checksum.Composite {
		return s3error.New("InvalidRequest").WithMessage("The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.", u.kind.Label(), p.number)
	}
	return nil
}

// join gives o what follows from its parts.
func join(o *object, c *completion, parts []*part) error {
	h := md5.New()
	for _, p := range parts {
		raw, _ := hex.DecodeString(strings.Trim(p.etag, `"`)) // in the form of newPart
		h.Write(raw)
		o.parts = append(o.parts, objectPart{o.size, p.size, p.sum})
		o.size += p.size
	}
	o.etag = o.encryption.tag(`"` + hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts)) + `"`)
	if c.size >= 0 && c.size != o.size {
		return s3error.New("InvalidRequest").WithMessage("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", c.size, o.size)
	}
	if c.covers != "" && c.covers != c.upload.covers {
		return s3error.New("BadDigest").WithMessage("The checksum type %s does not match the type %s that the upload was created with.", c.covers, c.upload.covers)
	}
	if c.sum.Kind != nil && c.sum.Kind != c.upload.kind {
		return badChecksum(c.sum.Kind)
	}
	o.sum = c.upload.sumOf(parts)
	// Clients assert a composite checksum with or without its "-N".
	bare, _, _ := strings.Cut(o.sum.Value, "-")
	if c.sum.Kind != nil && c.sum.Value != o.sum.Value && c.sum.Value != bare {
		return badChecksum(c.sum.Kind)
	}
	return nil
}

// sumOf returns the checksum of an object that consists of the parts.
func (u *upload) sumOf(parts []*part) checksum.Sum {
	if u.covers == checksum.Composite {
		return checksum.CompositeOf(u.kind, sumsOf(parts))
	}
	return checksum.JoinedSum(u.kind, sumsOf(parts))
}
