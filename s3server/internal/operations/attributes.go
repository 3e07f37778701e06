package operations

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

var objectAttributes = []string{"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}

// attributes is the XML response of GetObjectAttributes. It has only the attributes that the client
// asks for.
type attributes struct {
	ETag         string `xml:",omitempty"` // without quotes
	Checksum     *attributeChecksum
	ObjectParts  *attributeParts
	StorageClass string `xml:",omitempty"`
	ObjectSize   *int64
}

type attributeChecksum struct {
	checksum.Elements
	ChecksumType string
}

type attributeParts struct {
	PartsCount int
	*attributePage
}

type attributePage struct {
	PartNumberMarker, NextPartNumberMarker int
	MaxParts                               int
	IsTruncated                            bool
	Part                                   []attributePart
}

type attributePart struct {
	PartNumber int
	Size       int64
	checksum.Elements
}

// getAttributes responds with those attributes of a version that the request names.
func getAttributes(r *request.Request) error {
	names, err := requestedAttributes(r.HTTP.Header)
	if err != nil {
		return err
	}
	if err := rejectEncryptionHeaders(r.HTTP.Header); err != nil {
		return err
	}
	return writeFromVersion(r, "GetObjectAttributesResponse", func(v *state.Version) (any, error) {
		if err := checkReadKey(r, v.Object.Encryption, state.CustomerPrefix); err != nil {
			return nil, err
		}
		if err := headers.CheckRead(r.HTTP.Header, v); err != nil {
			return nil, err
		}

		r.Writer.Header().Set("Last-Modified", v.Modified.Format(http.TimeFormat))
		return attributesOf(r, v, names), nil
	})
}

// attributesOf returns the attributes of a version that have these names. The others stay empty.
func attributesOf(r *request.Request, v *state.Version, names []string) attributes {
	var response attributes
	for _, name := range names {
		switch name {
		case "ETag":
			response.ETag = strings.Trim(v.Object.ETag, `"`)
		case "Checksum":
			response.Checksum = checksumOf(v)
		case "ObjectParts":
			response.ObjectParts = partsOf(r, v)
		case "StorageClass":
			response.StorageClass = v.Object.Properties.Class
		case "ObjectSize":
			response.ObjectSize = &v.Object.Size
		}
	}
	return response
}

// checksumOf returns the checksum of a version, without the suffix "-N" of a composite one, or nil if it
// has none.
func checksumOf(v *state.Version) *attributeChecksum {
	sum := v.Object.Sum
	if sum.Kind == nil {
		return nil
	}
	sum.Value, _, _ = strings.Cut(sum.Value, "-")
	return &attributeChecksum{Elements: checksum.ElementsOf(sum), ChecksumType: sum.Covers}
}

// requestedAttributes returns the names in the header x-amz-object-attributes. It fails if there is none, or if one is
// unknown.
func requestedAttributes(header http.Header) (attributes []string, err error) {
	const name = "x-amz-object-attributes"
	for attribute := range strings.SplitSeq(strings.Join(header.Values(name), ","), ",") {
		attribute = strings.TrimSpace(attribute)
		if slices.Contains(objectAttributes, attribute) {
			attributes = append(attributes, attribute)
		} else if attribute != "" {
			return nil, s3error.New("InvalidArgument", "ArgumentName", name, "ArgumentValue", attribute).
				WithMessage("Invalid attribute name specified.")
		}
	}
	if attributes == nil {
		return nil, s3error.New("InvalidRequest").WithMessage(
			"The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
		)
	}
	return attributes, nil
}

// partsOf returns the parts of an object for GetObjectAttributes, or nil if the object was not uploaded in parts.
// Unless the object's checksum is made from those of its parts, it returns only their number, as S3 does.
func partsOf(r *request.Request, v *state.Version) *attributeParts {
	if v.Object.Parts == nil {
		return nil
	}
	list := &attributeParts{PartsCount: len(v.Object.Parts)}
	if v.Object.Sum.Covers != checksum.Composite {
		return list
	}

	page := &attributePage{
		PartNumberMarker: countHeader(r, "X-Amz-Part-Number-Marker", 0),
		MaxParts:         min(countHeader(r, "X-Amz-Max-Parts", r.Server.Limits.MaxPage), r.Server.Limits.MaxPage),
	}
	list.attributePage = page
	page.NextPartNumberMarker = page.PartNumberMarker

	// The marker is the number of a part, and so the index of the next one.
	parts := v.Object.Parts
	for i := page.PartNumberMarker; i < len(parts) && len(page.Part) < page.MaxParts; i++ {
		number := i + 1
		page.Part = append(page.Part, attributePart{
			PartNumber: number,
			Size:       parts[i].Size,
			Elements:   checksum.ElementsOf(parts[i].Sum),
		})
		page.NextPartNumberMarker = number
	}

	// Like S3, a page for no parts says that nothing follows.
	hasMore := page.NextPartNumberMarker < len(parts)
	page.IsTruncated = hasMore && page.MaxParts > 0
	return list
}

// countHeader returns the number in a header, or fallback if there is none. Like S3, it ignores a header
// that is not a number of at least 0.
func countHeader(r *request.Request, name string, fallback int) int {
	n, err := strconv.Atoi(r.HTTP.Header.Get(name))
	if err != nil || n < 0 {
		return fallback
	}
	return n
}
