package s3server

import (
	"encoding/hex"
	"encoding/xml"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const copySource = "X-Amz-Copy-Source"

// A copyOrigin is the source of a copy.
type copyOrigin struct{ bucket, key, id string }

// origin reads x-amz-copy-source, which the client must escape as a path.
func (r *request) origin() (copyOrigin, error) {
	wrong := newError("InvalidArgument", "ArgumentName", "x-amz-copy-source", "ArgumentValue", r.Header.Get(copySource)).
		withMessage("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	path, query, versioned := strings.Cut(r.Header.Get(copySource), "?")
	path, err := url.QueryUnescape(path)
	if err != nil {
		return copyOrigin{}, wrong
	}
	bucket, key, found := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !found || bucket == "" || key == "" {
		return copyOrigin{}, wrong
	}
	if err := checkKey(key); err != nil {
		return copyOrigin{}, err
	}
	from := copyOrigin{bucket: bucket, key: key}
	if !versioned {
		return from, nil
	}
	values, err := url.ParseQuery(query)
	from.id = values.Get("versionId")
	if err != nil || !validVersionID(from.id) {
		return copyOrigin{}, newError("InvalidArgument", "ArgumentName", "x-amz-copy-source").withMessage("Invalid version id specified")
	}
	return from, nil
}

// source finds the version that a copy reads, checks its conditions, and retains its
// pieces.
func (r *request) source(from copyOrigin) (*version, error) {
	if err := r.expectOwner(from.bucket, r.Header.Get("X-Amz-Source-Expected-Bucket-Owner")); err != nil {
		return nil, err
	}
	r.server.mu.RLock()
	defer r.server.mu.RUnlock()
	b, err := r.server.find(from.bucket)
	if err != nil {
		return nil, err
	}
	action := "s3:GetObject"
	if from.id != "" {
		action = versionActions[action]
	}
	if err := r.access(b, action, from.key, from.id).check(); err != nil {
		return nil, err
	}
	v, err := b.readable(from.key, from.id)
	if err != nil {
		if v != nil && from.id != "" {
			return nil, newError("InvalidRequest").withMessage("The source of a copy request may not specifically refer to a delete marker by version id.")
		}
		return nil, err
	}
	if err := r.checkReader(v.encryption, sourcePrefix); err != nil {
		return nil, err
	}
	if err := checkSource(r.Header, v); err != nil {
		return nil, err
	}
	if r.server.archived(v) {
		return nil, newError("ObjectNotInActiveTierError")
	}
	if shown := b.shownID(v); shown != "" {
		r.w.Header().Set("X-Amz-Copy-Source-Version-Id", shown)
	}
	r.server.blobs.retain(v.pieces)
	return v, nil
}

type copyResult struct {
	XMLName      xml.Name
	Xmlns        string `xml:"xmlns,attr"`
	LastModified string
	ETag         string
	checksumElements
	ChecksumType string `xml:",omitempty"`
}

func (r *request) writeCopyResult(name, modified, etag string, sum checksum) error {
	result := copyResult{XMLName: xml.Name{Local: name}, Xmlns: namespace, LastModified: modified, ETag: etag, checksumElements: elementsOf(sum)}
	if sum.kind != nil {
		result.ChecksumType = sum.covers
	}
	return r.writeXML(result)
}

// copyObject shares the source's bytes. It keeps the source's properties. With REPLACE,
// it takes those of the request and no others.
func (r *request) copyObject() error {
	condition, err := writeConditionOf(r.Header)
	if err != nil {
		return err
	}
	from, err := r.origin()
	if err != nil {
		return err
	}
	o, err := r.newObject(r.Header)
	if err != nil {
		return err
	}
	replace, err := r.directive("X-Amz-Metadata-Directive", "metadata")
	if err != nil {
		return err
	}
	itself := from == copyOrigin{bucket: r.bucket, key: r.key}
	if itself && !replace && r.Header.Get("X-Amz-Storage-Class") == "" && r.Header.Get("X-Amz-Website-Redirect-Location") == "" && r.Header.Get(sseHeader) == "" && o.encryption.customerMD5 == "" {
		return newError("InvalidRequest").withMessage("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	v, err := r.source(from)
	if err != nil {
		return err
	}
	if v.size > r.server.limits.MaxCopySize {
		r.server.blobs.release(v.pieces)
		return newError("InvalidRequest").withMessage("The specified copy source is larger than the maximum allowable size for a copy source: %d", r.server.limits.MaxCopySize)
	}
	if !replace {
		o.header = v.header
	}
	if replaceTags, err := r.directive("X-Amz-Tagging-Directive", "tagging"); err != nil || !replaceTags {
		if err != nil {
			r.server.blobs.release(v.pieces)
			return err
		}
		o.tags = v.tags
	}
	if err := r.copyBytes(o, v); err != nil {
		return err
	}
	copied, err := r.commit(o, condition)
	if err != nil {
		return err
	}
	return r.writeCopyResult("CopyObjectResult", isoTime(copied.modified), copied.etag, copied.sum)
}

func (r *request) directive(header, of string) (replace bool, err error) {
	switch value := r.Header.Get(header); value {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	default:
		return false, newError("InvalidArgument", "ArgumentName", strings.ToLower(header), "ArgumentValue", value).withMessage("Unknown %s directive.", of)
	}
}

// copyBytes gives o the bytes of v and retains them. If v was uploaded in parts, o is
// one piece for a reader: entity tag and checksum cover all of it.
func (r *request) copyBytes(o *object, v *version) error {
	kind := v.sum.kind
	if name := r.Header.Get("X-Amz-Checksum-Algorithm"); name != "" {
		if kind = kindByName(name); kind == nil {
			r.server.blobs.release(v.pieces)
			return unknownAlgorithm()
		}
	}
	o.size, o.pieces, o.etag, o.sum = v.size, v.pieces, v.etag, v.sum
	if v.parts == nil && kind == v.sum.kind && o.encryption == v.encryption {
		return nil
	}
	d := newDigest(kind, false)
	if err := r.server.blobs.copyTo(r.Context(), d, v.pieces); err != nil {
		r.server.blobs.release(v.pieces)
		return err
	}
	o.etag, o.sum = o.encryption.tag(`"`+hex.EncodeToString(d.md5.Sum(nil))+`"`), d.checksum()
	return nil
}

// copyPart makes a part of an object, or of a range of one.
func (r *request) copyPart() error {
	if err := noWriteCondition(r.Header); err != nil {
		return err
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
	from, err := r.origin()
	if err != nil {
		return err
	}
	v, err := r.source(from)
	if err != nil {
		return err
	}
	defer r.server.blobs.release(v.pieces)
	offset, length, err := r.copyRange(v.size)
	if err != nil {
		return err
	}
	if length > r.server.limits.MaxPartSize {
		return newError("InvalidRequest").withMessage("The specified copy source is larger than the maximum allowable size for a copy source: %d", r.server.limits.MaxPartSize)
	}
	pieces := slices.Clone(slice(v.pieces, offset, length))
	d := newDigest(u.kind, false)
	if err := r.server.blobs.copyTo(r.Context(), d, pieces); err != nil {
		return err
	}
	r.server.blobs.retain(pieces)
	p := newPart(number, pieces, d, r.server.now())
	p.etag = u.encryption.tag(p.etag)
	if err := r.addPart(u, p); err != nil {
		return err
	}
	u.encryption.write(r.w.Header())
	return r.writeCopyResult("CopyPartResult", isoTime(p.modified), p.etag, u.shown(p.sum))
}

// copyRange returns the range of the source, or all of it without the header. Unlike in
// a read, the range must be complete and inside the object.
func (r *request) copyRange(size int64) (offset, length int64, err error) {
	value := r.Header.Get("X-Amz-Copy-Source-Range")
	if value == "" {
		return 0, size, nil
	}
	span, found := strings.CutPrefix(value, "bytes=")
	first, last, _ := strings.Cut(span, "-")
	from, fromErr := strconv.ParseUint(first, 10, 63)
	to, toErr := strconv.ParseUint(last, 10, 63)
	if !found || fromErr != nil || toErr != nil || to < from {
		return 0, 0, newError("InvalidArgument", "ArgumentName", "x-amz-copy-source-range", "ArgumentValue", value).
			withMessage("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	}
	if int64(to) >= size {
		return 0, 0, newError("InvalidArgument", "ArgumentName", "x-amz-copy-source-range", "ArgumentValue", value).
			withMessage("Range specified is not valid for source object of size: %d", size)
	}
	if r.server.config.Strict && size <= r.server.limits.MinPartSize {
		return 0, 0, newError("InvalidRequest").withMessage("The specified copy source is not supported as a byte-range copy source")
	}
	return int64(from), int64(to-from) + 1, nil
}

func unknownAlgorithm() *apiError {
	return newError("InvalidRequest").withMessage("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
}

// checksumElements is a checksum in XML.
type checksumElements struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
}

// of returns the element for a kind.
func (e *checksumElements) of(kind *checksumKind) *string {
	switch kind.name {
	case "CRC32":
		return &e.ChecksumCRC32
	case "CRC32C":
		return &e.ChecksumCRC32C
	case "CRC64NVME":
		return &e.ChecksumCRC64NVME
	case "SHA1":
		return &e.ChecksumSHA1
	}
	return &e.ChecksumSHA256
}

func elementsOf(sum checksum) (e checksumElements) {
	if sum.kind != nil {
		*e.of(sum.kind) = sum.value
	}
	return e
}
