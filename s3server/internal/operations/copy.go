package operations

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const copySource = "X-Amz-Copy-Source"

// copySourceName returns the bucket, key and version in the header x-amz-copy-source, which has the form of
// a percent-encoded path.
func copySourceName(r *request.Request) (state.VersionName, error) {
	invalid := s3error.New("InvalidArgument", "ArgumentName", "x-amz-copy-source", "ArgumentValue",
		r.HTTP.Header.Get(copySource)).
		WithMessage("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")

	path, query, hasQuery := strings.Cut(r.HTTP.Header.Get(copySource), "?")
	path, err := url.QueryUnescape(path)
	if err != nil {
		return state.VersionName{}, invalid
	}

	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || bucket == "" || key == "" {
		return state.VersionName{}, invalid
	}
	if err := request.CheckKey(key); err != nil {
		return state.VersionName{}, err
	}

	src := state.VersionName{Bucket: bucket, Key: key}
	if !hasQuery {
		return src, nil
	}
	values, err := url.ParseQuery(query)
	versionID := values.Get("versionId")
	if err != nil || !r.Server.Store.ValidID(versionID) {
		return state.VersionName{}, s3error.New("InvalidArgument", "ArgumentName", "x-amz-copy-source").
			WithMessage("Invalid version id specified")
	}
	src.ID = versionID
	return src, nil
}

// openCopySource returns the version that a copy reads, after it has checked the permission and the
// conditions. The caller must release the version.
func openCopySource(r *request.Request, src state.VersionName) (*state.Version, error) {
	// The store may be a mirror, whose second store may have an older object. A copy of that must not
	// replace the newer one.
	r.HTTP = r.HTTP.WithContext(driver.WithoutFailover(r.HTTP.Context()))
	if err := access.AuthorizeSource(r, src); err != nil {
		return nil, err
	}

	v, versionID, err := r.Find(src)
	if err != nil {
		r.Server.Store.Release(v)
		// Find returns a delete marker together with an error.
		isMarker := v != nil
		if isMarker && src.ID != "" {
			return nil, s3error.New("InvalidRequest").WithMessage("The source of a copy request may not specifically refer to a delete marker by version id.")
		}
		return nil, err
	}
	if err := checkCopySource(r, v); err != nil {
		r.Server.Store.Release(v)
		return nil, err
	}
	if versionID != "" {
		r.Writer.Header().Set("X-Amz-Copy-Source-Version-Id", versionID)
	}
	return v, nil
}

// checkCopySource fails if a copy cannot read a version: the customer's encryption key is missing or wrong, a condition
// does not hold, or the version is archived.
func checkCopySource(r *request.Request, v *state.Version) error {
	if err := checkReadKey(r, v.Object.Encryption, sourcePrefix); err != nil {
		return err
	}
	if err := headers.CheckSource(r.HTTP.Header, v); err != nil {
		return err
	}
	if r.Server.IsArchived(v) {
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

// writeCopyResult responds to CopyObject or UploadPartCopy with a document whose root element has this name.
func writeCopyResult(r *request.Request, name, modified, etag string, sum checksum.Sum) error {
	return r.WriteXML(
		name,
		copyResult{LastModified: modified, ETag: etag, Elements: checksum.ElementsOf(sum), ChecksumType: sum.Covers},
	)
}

// copyObject copies an object. If the store can share bytes between objects, it copies no bytes.
// The copy has the source's properties. With the directive REPLACE, the copy has only the
// properties in the request.
func copyObject(r *request.Request) error {
	condition, err := headers.WriteCondition(r.HTTP.Header)
	if err != nil {
		return err
	}
	src, err := copySourceName(r)
	if err != nil {
		return err
	}
	o, err := NewObject(r, r.HTTP.Header)
	if err != nil {
		return err
	}
	replace, err := replacesProperties(r, "X-Amz-Metadata-Directive", "metadata")
	if err != nil {
		return err
	}

	// A copy of an object to itself must change something.
	isSame := src == state.VersionName{Bucket: r.Target.Bucket, Key: r.Target.Key}
	if isSame && !replace && !changesCopy(r, o) {
		return s3error.New("InvalidRequest").WithMessage(
			"This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
		)
	}

	v, err := openCopySource(r, src)
	if err != nil {
		return err
	}
	defer r.Server.Store.Release(v)
	if v.Object.Size > r.Server.Limits.MaxCopySize {
		return s3error.New("InvalidRequest").WithMessage(
			"The specified copy source is larger than the maximum allowable size for a copy source: %d",
			r.Server.Limits.MaxCopySize,
		)
	}

	if !replace {
		copyHeader(o, v)
	}
	if err := copyTags(r, o, src, v); err != nil {
		return err
	}
	if err := describeCopy(r, o, v); err != nil {
		return err
	}
	version, versionID, err := r.Server.Store.Copy(r.HTTP.Context(), writeOf(r, o, condition), v)
	if err != nil {
		return err
	}
	setWriteHeaders(r, version, versionID)
	return writeCopyResult(r, "CopyObjectResult", xmldoc.Time(version.Modified), version.Object.ETag, version.Object.Sum)
}

// copyHeader gives the copy o the properties of its source v. Like on S3, these do not include the website redirection,
// which only the request can set.
func copyHeader(o *state.Object, v *state.Version) {
	redirection := o.Properties.Header.Get(state.Redirection)
	o.Properties.Header = v.Object.Properties.Header.Clone()
	o.Properties.Header.Del(state.Redirection)
	if redirection != "" {
		o.Properties.Header.Set(state.Redirection, redirection)
	}
}

// copyTags gives the copy o the tags of its source v, which has the name src, unless the request replaces the tags. It
// fails if the caller may not copy them.
func copyTags(r *request.Request, o *state.Object, src state.VersionName, v *state.Version) error {
	replace, err := replacesProperties(r, "X-Amz-Tagging-Directive", "tagging")
	if err != nil || replace {
		return err
	}
	if err := access.AuthorizeTags(r, src, v.Object.Properties.Tags); err != nil {
		return err
	}
	o.Properties.Tags = v.Object.Properties.Tags
	return nil
}

// copyChanges has the headers with which a copy of an object to itself has an effect, even if it
// keeps the metadata.
var copyChanges = []string{"X-Amz-Storage-Class", state.Redirection, state.SSEHeader, sourcePrefix + "-Algorithm"}

// changesCopy reports whether the copy o has another storage class, redirection or encryption than its
// source.
func changesCopy(r *request.Request, o *state.Object) bool {
	for _, name := range copyChanges {
		if r.HTTP.Header.Get(name) != "" {
			return true
		}
	}
	return o.Encryption.CustomerMD5 != "" || hasEncryptionRule(r)
}

// replacesProperties reports whether a copy replaces properties of its source, according to a header of the
// request. name is the name of the properties in the error.
func replacesProperties(r *request.Request, header, name string) (replace bool, err error) {
	switch value := r.HTTP.Header.Get(header); value {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	default:
		return false, s3error.New("InvalidArgument", "ArgumentName", strings.ToLower(header), "ArgumentValue",
			value).WithMessage("Unknown %s directive.", name)
	}
}

// describeCopy sets the size, the entity tag and the checksum of o, a copy of v. If it cannot take those of
// v, it reads all bytes to compute them.
func describeCopy(r *request.Request, o *state.Object, v *state.Version) error {
	kind, err := kindOfCopy(r, v)
	if err != nil {
		return err
	}

	if hasSameSum(o, v, kind) {
		o.Size = v.Object.Size
		o.ETag = v.Object.ETag
		o.Sum = v.Object.Sum
		return nil
	}

	const needsSHA256 = false
	d := checksum.NewDigest(kind, needsSHA256)
	if err := r.Server.Store.Read(r.HTTP.Context(), v, 0, v.Object.Size, d); err != nil {
		return err
	}
	o.SetContent(d)
	return nil
}

// hasSameSum reports whether o, a copy of v whose checksum is of this kind, has the entity tag and the checksum of v.
func hasSameSum(o *state.Object, v *state.Version, kind *checksum.Kind) bool {
	if v.Object.StoreETag && v.Object.Sum.Kind == nil {
		// The store makes its own entity tags, and stores no checksum of v, nor of the copy.
		return true
	}
	if v.Object.Parts != nil {
		// The entity tag of v is made from its parts, and the copy has no parts.
		return false
	}
	return kind == v.Object.Sum.Kind && o.Encryption == v.Object.Encryption
}

// kindOfCopy returns the kind of the checksum of a copy of v: the one that the request names, that of v, or the
// default.
func kindOfCopy(r *request.Request, v *state.Version) (*checksum.Kind, error) {
	if name := r.HTTP.Header.Get("X-Amz-Checksum-Algorithm"); name != "" {
		return checksum.Named(name)
	}
	return cmp.Or(v.Object.Sum.Kind, checksum.Default), nil
}

// copyPart makes a part of an upload from an object, or from a range of one.
func copyPart(r *request.Request) error {
	if err := headers.NoWriteCondition(r.HTTP.Header); err != nil {
		return err
	}
	u, number, err := partTarget(r)
	if err != nil {
		return err
	}

	src, err := copySourceName(r)
	if err != nil {
		return err
	}
	v, err := openCopySource(r, src)
	if err != nil {
		return err
	}
	defer r.Server.Store.Release(v)

	offset, length, err := copyRange(r, v.Object.Size)
	if err != nil {
		return err
	}
	if length > r.Server.Limits.MaxPartSize {
		return s3error.New("InvalidRequest").WithMessage(
			"The specified copy source is larger than the maximum allowable size for a copy source: %d",
			r.Server.Limits.MaxPartSize,
		)
	}

	p, err := r.Server.Store.CopyPart(r.HTTP.Context(), u, number, v, offset, length)
	if err != nil {
		return err
	}
	u.Object.Encryption.Write(r.Writer.Header())
	return writeCopyResult(r, "CopyPartResult", xmldoc.Time(p.Modified), p.ETag, u.Shown(p.Sum))
}

// copyRange returns the range of the source that the request copies, which is the whole source by default.
// Unlike the range of a read, it must have both ends and be inside the object.
func copyRange(r *request.Request, size int64) (offset, length int64, err error) {
	value := r.HTTP.Header.Get("X-Amz-Copy-Source-Range")
	if value == "" {
		return 0, size, nil
	}

	span, hasUnit := strings.CutPrefix(value, "bytes=")
	first, last, _ := strings.Cut(span, "-")
	start, hasStart := rangeOffset(first)
	end, hasEnd := rangeOffset(last)
	isRange := hasUnit && hasStart && hasEnd && start <= end

	invalid := s3error.New("InvalidArgument", "ArgumentName", "x-amz-copy-source-range", "ArgumentValue", value)
	if !isRange {
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

	// AWS copies ranges only of larger sources.
	isTooSmall := size <= r.Server.Limits.MinPartSize
	if isTooSmall && r.Server.Strict {
		return 0, 0, s3error.New("InvalidRequest").
			WithMessage("The specified copy source is not supported as a byte-range copy source")
	}
	return start, end - start + 1, nil
}
