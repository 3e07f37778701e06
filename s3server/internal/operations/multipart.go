package operations

import (
	"net/http"
	"strconv"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type createUploadResult struct {
	Bucket   string
	Key      xmldoc.Text
	UploadID string `xml:"UploadId"`
}

// createUpload begins a multipart upload. Its headers are those of a PutObject, and apply to the later object.
func createUpload(r *request.Request) error {
	if err := headers.NoWriteCondition(r.HTTP.Header); err != nil {
		return err
	}
	o, err := NewObject(r, r.HTTP.Header)
	if err != nil {
		return err
	}
	u := &state.Upload{Bucket: r.Target.Bucket, Key: r.Target.Key, Initiator: r.Caller.Account, Object: *o}
	if err := readUploadChecksum(u, r.HTTP.Header); err != nil {
		return err
	}
	if err := r.Server.Store.BeginUpload(r.HTTP.Context(), u); err != nil {
		return err
	}

	// Tell the client what applies to the upload.
	u.Object.Encryption.Write(r.Writer.Header())
	setAbortionHeaders(r, u)
	if u.HasAlgorithm {
		r.Writer.Header().Set("X-Amz-Checksum-Algorithm", u.Kind.Name)
		r.Writer.Header().Set("X-Amz-Checksum-Type", u.Covers)
	}
	return r.WriteXML(
		"InitiateMultipartUploadResult",
		createUploadResult{Bucket: r.Target.Bucket, Key: xmldoc.Text(r.Target.Key), UploadID: u.ID},
	)
}

// readUploadChecksum sets the kind and the type of an upload's checksums from the headers of the request. The type is
// either that of all bytes of the object, or composite, which is made from the checksums of the parts.
func readUploadChecksum(u *state.Upload, header http.Header) error {
	name := header.Get("X-Amz-Checksum-Algorithm")
	checksumType := header.Get("X-Amz-Checksum-Type")
	if name == "" {
		if checksumType != "" {
			return s3error.New("InvalidRequest").
				WithMessage("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		u.Kind = checksum.Default
		u.Covers = checksum.FullObject
		return nil
	}

	kind, err := checksum.Named(name)
	if err != nil {
		return err
	}
	u.Kind = kind
	u.HasAlgorithm = true

	// By default, the checksum is composite if the algorithm permits that.
	if checksumType == "" {
		checksumType = checksum.FullObject
		if kind.Composite {
			checksumType = checksum.Composite
		}
	}
	u.Covers = checksumType
	return checkType(kind, checksumType)
}

// checkType fails if the type of an upload's checksum is unknown, or if the algorithm does not permit it.
func checkType(kind *checksum.Kind, checksumType string) error {
	isPermitted := false
	switch checksumType {
	case checksum.Composite:
		isPermitted = kind.Composite
	case checksum.FullObject:
		isPermitted = kind.Full
	default:
		return s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-type header is invalid.")
	}
	if !isPermitted {
		return s3error.New("InvalidRequest").
			WithMessage("The %s checksum type cannot be used with the %s checksum algorithm.", checksumType, kind.Label())
	}
	return nil
}

// requestedUpload looks up the upload that the request names.
func requestedUpload(r *request.Request) (*state.Upload, error) {
	return r.Server.Store.Upload(r.HTTP.Context(), r.Target.Bucket, r.Target.Key, r.Query.Get("uploadId"))
}

// partNumber returns the partNumber of a request, and fails unless it is from 1 to the maximum.
func partNumber(r *request.Request) (int, error) {
	value := r.Query.Get("partNumber")
	maximum := r.Server.Limits.MaxParts
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maximum {
		return 0, s3error.New("InvalidArgument", "ArgumentName", "partNumber", "ArgumentValue", value).
			WithMessage("Part number must be an integer between 1 and %d, inclusive", maximum)
	}
	return n, nil
}

// partTarget returns the upload to which the request writes a part, and the number of the part.
func partTarget(r *request.Request) (u *state.Upload, number int, err error) {
	number, err = partNumber(r)
	if err != nil {
		return nil, 0, err
	}
	u, err = requestedUpload(r)
	if err != nil {
		return nil, 0, err
	}
	return u, number, checkPartKey(r, u)
}

// uploadPart stores the body as a part of an upload, and checks it like the body of PutObject.
func uploadPart(r *request.Request) error {
	if err := headers.NoWriteCondition(r.HTTP.Header); err != nil {
		return err
	}
	if value := r.HTTP.Header.Get("X-Amz-Tagging"); value != "" {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-tagging", "ArgumentValue", value).
			WithMessage("The header 'x-amz-tagging' is not valid in this context")
	}

	u, number, err := partTarget(r)
	if err != nil {
		return err
	}
	expected, err := r.ExpectBody()
	if err != nil {
		return err
	}
	if err := expected.CheckKind(u); err != nil {
		return err
	}
	if err := requireChecksum(r, expected, u.Object.Lock, "Part"); err != nil {
		return err
	}

	b, err := r.OpenBody(expected, r.Server.Limits.MaxPartSize)
	if err != nil {
		return err
	}
	// If the checksums of the part and of the object are of different kinds, compute both.
	if expected.Kind != u.Kind {
		b.Digest = b.Digest.Also(u.Kind)
	}

	p, err := r.Server.Store.PutPart(r.HTTP.Context(), u, number, b)
	if err != nil {
		return b.Cause(err)
	}

	u.Object.Encryption.Write(r.Writer.Header())
	r.Writer.Header().Set("Etag", p.ETag)

	// S3 returns the checksum only if the client has asked for one.
	if expected.SentKind != nil || u.HasAlgorithm {
		r.Writer.Header().Set(expected.Sum.Kind.Header, expected.Sum.Value)
	}
	return r.Done(http.StatusOK)
}

// abortUpload ends an upload and removes its parts.
func abortUpload(r *request.Request) error {
	u, err := requestedUpload(r)
	if err != nil {
		return err
	}
	if err := r.Server.Store.Abort(r.HTTP.Context(), u); err != nil {
		return err
	}
	return r.Done(http.StatusNoContent)
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

// listParts responds with the parts of an upload, sorted by their numbers.
func listParts(r *request.Request) error {
	maximum, err := pageSize(r, "max-parts")
	if err != nil {
		return err
	}
	marker, err := r.Number("part-number-marker", 0)
	if err != nil {
		return err
	}

	result := partList{
		Bucket:           r.Target.Bucket,
		Key:              xmldoc.Text(r.Target.Key),
		UploadID:         r.Query.Get("uploadId"),
		PartNumberMarker: marker,
		MaxParts:         maximum,
	}

	u, err := requestedUpload(r)
	if err != nil {
		return err
	}

	// The customer's key is not required, but must be right.
	if r.HTTP.Header.Get(state.CustomerPrefix+"-Key") != "" {
		if err := checkPartKey(r, u); err != nil {
			return err
		}
	}
	owners, err := ownersOf(r)
	if err != nil {
		return err
	}

	setAbortionHeaders(r, u)
	result.StorageClass = u.Object.Properties.Class
	result.Initiator = accounts.OwnerOf(u.Initiator)
	result.Owner = owners(&u.Object)
	if u.HasAlgorithm {
		result.ChecksumAlgorithm = u.Kind.Name
		result.ChecksumType = u.Covers
	}

	// Show the parts of this page.
	parts, hasMore, err := r.Server.Store.Parts(r.HTTP.Context(), u, marker, maximum)
	if err != nil {
		return err
	}
	result.IsTruncated = hasMore && maximum > 0
	for _, p := range parts {
		result.Part = append(result.Part, listedPart{
			PartNumber:   p.Number,
			LastModified: xmldoc.Time(p.Modified),
			ETag:         p.ETag,
			Size:         p.Size,
			Elements:     checksum.ElementsOf(u.Shown(p.Sum)),
		})
		result.NextPartNumberMarker = p.Number
	}
	return r.WriteXML("ListPartsResult", result)
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

// listUploads responds with the multipart uploads of a bucket, sorted by key and then by time.
func listUploads(r *request.Request) error {
	l, err := readListing(r, "max-uploads")
	if err != nil {
		return err
	}

	key := r.Query.Get("key-marker")
	id := r.Query.Get("upload-id-marker")
	result := uploadList{
		Bucket:         r.Target.Bucket,
		KeyMarker:      l.encode(key),
		UploadIDMarker: id,
		Prefix:         l.encode(l.Prefix),
		Delimiter:      l.encode(l.Delimiter),
		EncodingType:   l.encoding,
		MaxUploads:     l.Max,
	}

	owners, err := ownersOf(r)
	if err != nil {
		return err
	}

	// The last entry of the page is the position of the next page.
	result.IsTruncated, err = r.Server.Store.ListUploads(
		r.HTTP.Context(), r.Target.Bucket, l.Listing, state.UploadPosition{Key: key, ID: id},
		func(u *state.Upload, common string) {
			// The entry is a common prefix.
			if u == nil {
				result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
				result.NextKeyMarker = l.encode(common)
				result.NextUploadIDMarker = ""
				return
			}
			result.Upload = append(result.Upload, listedUpload{
				Key:          l.encode(u.Key),
				UploadID:     u.ID,
				Initiator:    accounts.OwnerOf(u.Initiator),
				Owner:        owners(&u.Object),
				StorageClass: u.Object.Properties.Class,
				Initiated:    xmldoc.Time(u.Initiated),
			})
			result.NextKeyMarker = l.encode(u.Key)
			result.NextUploadIDMarker = u.ID
		},
	)
	if err != nil {
		return err
	}

	// Without a next page, there is no position.
	if !result.IsTruncated {
		result.NextKeyMarker = ""
		result.NextUploadIDMarker = ""
	}
	return r.WriteXML("ListMultipartUploadsResult", result)
}
