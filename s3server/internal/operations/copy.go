package s3server

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const copySource = "X-Amz-Copy-Source"

// origin reads the bucket, key and version in the header x-amz-copy-source. The client must
// percent-encode them as a path.
func origin(r *request) (state.VersionName, error) {
	invalid := s3error.New("InvalidArgument", "ArgumentName", "x-amz-copy-source", "ArgumentValue",
		r.in.Header.Get(copySource)).
		WithMessage("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	path, query, versioned := strings.Cut(r.in.Header.Get(copySource), "?")
	path, err := url.QueryUnescape(path)
	if err != nil {
		return state.VersionName{}, invalid
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || bucket == "" || key == "" {
		return state.VersionName{}, invalid
	}
	if err := checkKey(key); err != nil {
		return state.VersionName{}, err
	}
	src := state.VersionName{Bucket: bucket, Key: key}
	if !versioned {
		return src, nil
	}
	values, err := url.ParseQuery(query)
	src.ID = values.Get("versionId")
	if err != nil || !r.server.store.ValidID(src.ID) {
		return state.VersionName{}, s3error.New("InvalidArgument", "ArgumentName", "x-amz-copy-source").
			WithMessage("Invalid version id specified")
	}
	return src, nil
}

// source returns the version from which a copy reads, and checks the conditions on it. The caller
// must release the version.
func source(r *request, src state.VersionName) (*state.Version, error) {
	// The store may be a mirror. Its second store may have an older object, and the copy may replace the newer one.
	r.in = r.in.WithContext(driver.WithoutFailover(r.in.Context()))
	if err := authorizeSource(r, src); err != nil {
		return nil, err
	}
	v, versionID, err := r.find(src)
	if err == nil {
		err = checkCopySource(r, v)
	} else if v != nil && src.ID != "" {
		err = s3error.New("InvalidRequest").WithMessage("The source of a copy request may not specifically refer to a delete marker by version id.")
	}
	if err != nil {
		r.server.store.Release(v)
		return nil, err
	}
	if versionID != "" {
		r.w.Header().Set("X-Amz-Copy-Source-Version-Id", versionID)
	}
	return v, nil
}

func checkCopySource(r *request, v *state.Version) error {
	if err := checkReader(r, v.Object.Encryption, sourcePrefix); err != nil {
		return err
	}
	if err := headers.CheckSource(r.in.Header, v); err != nil {
		return err
	}
	if r.server.archived(v) {
		return s3error.New("ObjectNotInActiveTierError")
	}
	return nil
}

type copyResult struct {
	LastModified string
	ETag         string
	checksum.Elements
	ChecksumType string `xml:",omitempty"`
}

func writeCopyResult(r *request, name, modified, etag string, sum checksum.Sum) error {
	return r.writeXML(
		name,
		copyResult{LastModified: modified, ETag: etag, Elements: checksum.ElementsOf(sum), ChecksumType: sum.Covers},
	)
}

// copyObject copies an object. If the store can share bytes between objects, it copies no bytes.
// The copy has the source's properties. With the directive REPLACE, the copy has only the
// properties in the request.
func copyObject(r *request) error {
	condition, err := headers.WriteCondition(r.in.Header)
	if err != nil {
		return err
	}
	src, err := origin(r)
	if err != nil {
		return err
	}
	o, err := newObject(r, r.in.Header)
	if err != nil {
		return err
	}
	replace, err := directive(r, "X-Amz-Metadata-Directive", "metadata")
	if err != nil {
		return err
	}
	itself := src == state.VersionName{Bucket: r.target.bucket, Key: r.target.key}
	if itself && !replace && r.in.Header.Get("X-Amz-Storage-Class") == "" && r.in.Header.Get(state.Redirection) == "" &&
		r.in.Header.Get(state.SSEHeader) == "" &&
		o.Encryption.CustomerMD5 == "" &&
		r.in.Header.Get(sourcePrefix+"-Algorithm") == "" &&
		!hasEncryptionRule(r) {
		return s3error.New("InvalidRequest").WithMessage(
			"This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
		)
	}
	v, err := source(r, src)
	if err != nil {
		return err
	}
	defer r.server.store.Release(v)
	if v.Object.Size > r.server.limits.MaxCopySize {
		return s3error.New("InvalidRequest").WithMessage(
			"The specified copy source is larger than the maximum allowable size for a copy source: %d",
			r.server.limits.MaxCopySize,
		)
	}
	if !replace { // copy all properties except the website redirection, like S3
		redirection := o.Properties.Header.Get(state.Redirection)
		o.Properties.Header = v.Object.Properties.Header.Clone()
		o.Properties.Header.Del(state.Redirection)
		if redirection != "" {
			o.Properties.Header.Set(state.Redirection, redirection)
		}
	}
	replaceTags, err := directive(r, "X-Amz-Tagging-Directive", "tagging")
	if err != nil {
		return err
	}
	if !replaceTags {
		if err := authorizeTags(r, src, v.Object.Properties.Tags); err != nil {
			return err
		}
		o.Properties.Tags = v.Object.Properties.Tags
	}
	if err := describeCopy(r, o, v); err != nil {
		return err
	}
	version, versionID, err := r.server.store.Copy(r.in.Context(), r.write(o, condition), v)
	if err != nil {
		return err
	}
	written(r, version, versionID)
	return writeCopyResult(r, "CopyObjectResult", xmldoc.Time(version.Modified), version.Object.ETag, version.Object.Sum)
}

func directive(r *request, header, name string) (replace bool, err error) {
	switch value := r.in.Header.Get(header); value {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	default:
		return false, s3error.New("InvalidArgument", "ArgumentName", strings.ToLower(header), "ArgumentValue",
			value).WithMessage("Unknown %s directive.", name)
	}
}

// describeCopy sets the size, the entity tag and the checksum of the copy o, which has the bytes of
// v. There are three cases:
//
//   - If the store makes the entity tags and has no checksum of v, o gets the size and the entity
//     tag of v, and no checksum.
//   - If v was uploaded in parts, or if the kind of checksum or the encryption differs,
//     describeCopy reads all bytes to compute the three values.
//   - Otherwise, o gets the three values of v.
func describeCopy(r *request, o *state.Object, v *state.Version) error {
	kind := cmp.Or(v.Object.Sum.Kind, checksum.Default)
	if name := r.in.Header.Get("X-Amz-Checksum-Algorithm"); name != "" {
		var err error
		if kind, err = checksum.Named(name); err != nil {
			return err
		}
	}
	unknown := v.Object.StoreETag && v.Object.Sum.Kind == nil
	if unknown || v.Object.Parts == nil && kind == v.Object.Sum.Kind && o.Encryption == v.Object.Encryption {
		o.Size = v.Object.Size
		o.ETag = v.Object.ETag
		o.Sum = v.Object.Sum
		return nil
	}
	d := checksum.NewDigest(kind, false)
	if err := r.server.store.Read(r.in.Context(), v, 0, v.Object.Size, d); err != nil {
		return err
	}
	o.SetContent(d)
	return nil
}

// copyPart makes a part of an upload from an object, or from a range of one.
func copyPart(r *request) error {
	if err := headers.NoWriteCondition(r.in.Header); err != nil {
		return err
	}
	u, number, err := partTarget(r)
	if err != nil {
		return err
	}
	src, err := origin(r)
	if err != nil {
		return err
	}
	v, err := source(r, src)
	if err != nil {
		return err
	}
	defer r.server.store.Release(v)
	offset, length, err := copyRange(r, v.Object.Size)
	if err != nil {
		return err
	}
	if length > r.server.limits.MaxPartSize {
		return s3error.New("InvalidRequest").WithMessage(
			"The specified copy source is larger than the maximum allowable size for a copy source: %d",
			r.server.limits.MaxPartSize,
		)
	}
	p, err := r.server.store.CopyPart(r.in.Context(), u, number, v, offset, length)
	if err != nil {
		return err
	}
	u.Object.Encryption.Write(r.w.Header())
	return writeCopyResult(r, "CopyPartResult", xmldoc.Time(p.Modified), p.ETag, u.Shown(p.Sum))
}

// copyRange returns the range of the source that the request copies, by default the whole source.
// The range of a copy must have both ends and be inside the object, unlike the range of a read.
func copyRange(r *request, size int64) (offset, length int64, err error) {
	value := r.in.Header.Get("X-Amz-Copy-Source-Range")
	if value == "" {
		return 0, size, nil
	}
	span, ok := strings.CutPrefix(value, "bytes=")
	first, last, _ := strings.Cut(span, "-")
	start, isFrom := rangeOffset(first)
	end, isTo := rangeOffset(last)
	invalid := s3error.New("InvalidArgument", "ArgumentName", "x-amz-copy-source-range", "ArgumentValue", value)
	if !ok || !isFrom || !isTo || end < start {
		return 0, 0, invalid.WithMessage(
			"The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
		)
	}
	if start >= size {
		return 0, 0, s3error.New("InvalidRequest").
			WithMessage("The specified copy range is invalid for the source object size")
	}
	if end >= size {
		return 0, 0, invalid.WithMessage("Range specified is not valid for source object of size: %d", size)
	}
	if r.server.config.Strict && size <= r.server.limits.MinPartSize {
		return 0, 0, s3error.New("InvalidRequest").
			WithMessage("The specified copy source is not supported as a byte-range copy source")
	}
	return start, end - start + 1, nil
}
