package s3server

import (
	"net/http"
	"strconv"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type createUploadResult struct {
	Bucket   string
	Key      xmldoc.Text
	UploadID string `xml:"UploadId"`
}

func createUpload(r *request) error {
	if err := headers.NoWriteCondition(r.in.Header); err != nil {
		return err
	}
	o, err := newObject(r, r.in.Header)
	if err != nil {
		return err
	}
	u := &state.Upload{Bucket: r.target.bucket, Key: r.target.key, Initiator: r.caller.account, Object: *o}
	if err := readUploadChecksum(u, r.in.Header); err != nil {
		return err
	}
	if err := r.server.store.BeginUpload(r.in.Context(), u); err != nil {
		return err
	}
	u.Object.Encryption.Write(r.w.Header())
	showAbortion(r, u)
	if u.Asked {
		r.w.Header().Set("X-Amz-Checksum-Algorithm", u.Kind.Name)
		r.w.Header().Set("X-Amz-Checksum-Type", u.Covers)
	}
	return r.writeXML(
		"InitiateMultipartUploadResult",
		createUploadResult{Bucket: r.target.bucket, Key: xmldoc.Text(r.target.key), UploadID: u.ID},
	)
}

// readUploadChecksum sets the kind and the type of the checksums of an upload, from the request's
// headers.
func readUploadChecksum(u *state.Upload, header http.Header) error {
	name := header.Get("X-Amz-Checksum-Algorithm")
	covers := header.Get("X-Amz-Checksum-Type")
	if name == "" {
		if covers != "" {
			return s3error.New("InvalidRequest").
				WithMessage("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		u.Kind = checksum.Default
		u.Covers = checksum.FullObject
		return nil
	}
	var err error
	if u.Kind, err = checksum.Named(name); err != nil {
		return err
	}
	u.Asked = true
	u.Covers = covers
	switch {
	case covers == "" && u.Kind.Composite:
		u.Covers = checksum.Composite
	case covers == "":
		u.Covers = checksum.FullObject
	case covers != checksum.FullObject && covers != checksum.Composite:
		return s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-type header is invalid.")
	}
	if u.Covers == checksum.FullObject && !u.Kind.Full || u.Covers == checksum.Composite && !u.Kind.Composite {
		return s3error.New("InvalidRequest").
			WithMessage("The %s checksum type cannot be used with the %s checksum algorithm.", u.Covers, u.Kind.Label())
	}
	return nil
}

// upload looks up the upload that the request names.
func (r *request) upload() (*state.Upload, error) {
	return r.server.store.Upload(r.in.Context(), r.target.bucket, r.target.key, r.query.Get("uploadId"))
}

func partNumber(r *request) (int, error) {
	value := r.query.Get("partNumber")
	maximum := r.server.limits.MaxParts
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maximum {
		return 0, s3error.New("InvalidArgument", "ArgumentName", "partNumber", "ArgumentValue", value).
			WithMessage("Part number must be an integer between 1 and %d, inclusive", maximum)
	}
	return n, nil
}

// partTarget returns the upload to which the request writes a part, and the number of the part.
func partTarget(r *request) (u *state.Upload, number int, err error) {
	if number, err = partNumber(r); err != nil {
		return nil, 0, err
	}
	if u, err = r.upload(); err != nil {
		return nil, 0, err
	}
	return u, number, checkPart(r, u)
}

func uploadPart(r *request) error {
	if err := headers.NoWriteCondition(r.in.Header); err != nil {
		return err
	}
	if value := r.in.Header.Get("X-Amz-Tagging"); value != "" {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-tagging", "ArgumentValue", value).
			WithMessage("The header 'x-amz-tagging' is not valid in this context")
	}
	u, number, err := partTarget(r)
	if err != nil {
		return err
	}
	promised, err := r.expectBody()
	if err != nil {
		return err
	}
	if err := checkKind(u, promised); err != nil {
		return err
	}
	if err := r.needChecksum(promised, u.Object.Lock, "Part"); err != nil {
		return err
	}
	b, err := r.openBody(promised, r.server.limits.MaxPartSize)
	if err != nil {
		return err
	}
	// If the checksums of the part and of the object are of different kinds, compute both kinds.
	if promised.kind != u.Kind {
		b.Digest = b.Digest.Also(u.Kind)
	}
	p, err := r.server.store.PutPart(r.in.Context(), u, number, b)
	if err != nil {
		return b.Blame(err)
	}
	u.Object.Encryption.Write(r.w.Header())
	r.w.Header().Set("Etag", p.ETag)
	if promised.given != nil || u.Asked {
		r.w.Header().Set(promised.sum.Kind.Header, promised.sum.Value)
	}
	return r.done(http.StatusOK)
}

// checkKind fails if the client named a checksum algorithm for the upload, and a part has a
// checksum of another algorithm. If the upload's checksum is composite, checkKind also fails for a
// part without a checksum. For any other part without a checksum, checkKind sets p.kind to the
// upload's algorithm.
func checkKind(u *state.Upload, p *expectedBody) error {
	value := "null"
	if p.given != nil {
		value = p.given.Label()
	}
	mismatch := u.Asked &&
		(p.given != u.Kind && (p.given != nil || u.Covers == checksum.Composite) || p.named && p.kind != u.Kind)
	if mismatch {
		return s3error.New("InvalidRequest").WithMessage(
			"Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", u.Kind.Label(),
			value,
		)
	}
	if p.given == nil {
		p.kind = u.Kind
	}
	return nil
}

func abortUpload(r *request) error {
	u, err := r.upload()
	if err != nil {
		return err
	}
	if err := r.server.store.Abort(r.in.Context(), u); err != nil {
		return err
	}
	return r.done(http.StatusNoContent)
}

type partList struct {
	Bucket               string
	Key                  xmldoc.Text
	UploadID             string `xml:"UploadId"`
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string `xml:",omitempty"`
	ChecksumType         string `xml:",omitempty"`
	StorageClass         string
	Initiator, Owner     accounts.Owner
	Part                 []listedPart
}

type listedPart struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	checksum.Elements
}

func listParts(r *request) error {
	maximum, err := pageSize(r, "max-parts")
	if err != nil {
		return err
	}
	marker, err := r.number("part-number-marker", 0)
	if err != nil {
		return err
	}
	result := partList{
		Bucket:           r.target.bucket,
		Key:              xmldoc.Text(r.target.key),
		UploadID:         r.query.Get("uploadId"),
		PartNumberMarker: marker,
		MaxParts:         maximum,
	}
	u, err := r.upload()
	if err != nil {
		return err
	}
	if r.in.Header.Get(state.CustomerPrefix+"-Key") != "" {
		if err := checkPart(r, u); err != nil {
			return err
		}
	}
	owners, err := r.owners()
	if err != nil {
		return err
	}
	showAbortion(r, u)
	result.StorageClass, result.Initiator, result.Owner = u.Object.Properties.Class, accounts.OwnerOf(u.Initiator),
		owners(&u.Object)
	if u.Asked {
		result.ChecksumAlgorithm = u.Kind.Name
		result.ChecksumType = u.Covers
	}
	parts, hasMore, err := r.server.store.Parts(r.in.Context(), u, marker, maximum)
	if err != nil {
		return err
	}
	result.IsTruncated = hasMore && maximum > 0
	for _, p := range parts {
		result.Part = append(
			result.Part,
			listedPart{p.Number, xmldoc.Time(p.Modified), p.ETag, p.Size, checksum.ElementsOf(u.Shown(p.Sum))},
		)
		result.NextPartNumberMarker = p.Number
	}
	return r.writeXML("ListPartsResult", result)
}

type uploadList struct {
	Bucket             string
	KeyMarker          xmldoc.Text
	UploadIDMarker     string      `xml:"UploadIdMarker"`
	NextKeyMarker      xmldoc.Text `xml:",omitempty"`
	NextUploadIDMarker string      `xml:"NextUploadIdMarker,omitempty"`
	Prefix             xmldoc.Text
	Delimiter          xmldoc.Text `xml:",omitempty"`
	EncodingType       string      `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Upload             []listedUpload
	CommonPrefixes     []commonPrefix
}

type listedUpload struct {
	Key              xmldoc.Text
	UploadID         string `xml:"UploadId"`
	Initiator, Owner accounts.Owner
	StorageClass     string
	Initiated        string
}

// listUploads lists the multipart uploads of a bucket, sorted by key and, for one key, by time.
func listUploads(r *request) error {
	l, err := r.listing("max-uploads")
	if err != nil {
		return err
	}
	key := r.query.Get("key-marker")
	id := r.query.Get("upload-id-marker")
	result := uploadList{
		Bucket:         r.target.bucket,
		KeyMarker:      l.encode(key),
		UploadIDMarker: id,
		Prefix:         l.encode(l.Prefix),
		Delimiter:      l.encode(l.Delimiter),
		EncodingType:   l.encoding,
		MaxUploads:     l.Max,
	}
	owners, err := r.owners()
	if err != nil {
		return err
	}
	result.IsTruncated, err = r.server.store.ListUploads(
		r.in.Context(), r.target.bucket, l.Listing, state.UploadPosition{Key: key, ID: id},
		func(u *state.Upload, common string) {
			if u == nil {
				result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
				result.NextKeyMarker = l.encode(common)
				result.NextUploadIDMarker = ""
				return
			}
			result.Upload = append(result.Upload, listedUpload{
				l.encode(u.Key), u.ID, accounts.OwnerOf(u.Initiator), owners(&u.Object), u.Object.Properties.Class,
				xmldoc.Time(u.Initiated),
			})
			result.NextKeyMarker = l.encode(u.Key)
			result.NextUploadIDMarker = u.ID
		},
	)
	if err != nil {
		return err
	}
	if !result.IsTruncated {
		result.NextKeyMarker = ""
		result.NextUploadIDMarker = ""
	}
	return r.writeXML("ListMultipartUploadsResult", result)
}
