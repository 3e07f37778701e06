package operations

import (
	"encoding/xml"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type versionList struct {
	Name                string
	Prefix              xmldoc.Text
	KeyMarker           xmldoc.Text
	VersionIDMarker     string      `xml:"VersionIdMarker"`
	NextKeyMarker       xmldoc.Text `xml:",omitempty"`
	NextVersionIDMarker string      `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys             int
	Delimiter           xmldoc.Text `xml:",omitempty"`
	EncodingType        string      `xml:",omitempty"`
	IsTruncated         bool
	Entries             []listedVersion
	CommonPrefixes      []commonPrefix
}

// A listedVersion is the XML element of a version or of a delete marker, which has fewer fields. A
// listing has both in one sequence.
type listedVersion struct {
	XMLName           xml.Name
	Key               xmldoc.Text
	VersionID         string `xml:"VersionId"`
	IsLatest          bool
	LastModified      string
	ETag              string `xml:",omitempty"`
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              *int64
	StorageClass      string `xml:",omitempty"`
	Owner             accounts.Owner
	RestoreStatus     *restoreStatus
}

// listVersions responds with versions and delete markers, sorted by key and then from the newest to the
// oldest.
func listVersions(r *request.Request) error {
	l, err := readListing(r, "max-keys")
	if err != nil {
		return err
	}

	pos := state.VersionPosition{Key: r.Query.Get("key-marker"), ID: r.Query.Get("version-id-marker")}
	if err := checkVersionMarker(r, pos); err != nil {
		return err
	}

	result := versionList{
		Name:            r.Target.Bucket,
		Prefix:          l.encode(l.Prefix),
		KeyMarker:       l.encode(pos.Key),
		VersionIDMarker: pos.ID,
		MaxKeys:         l.Max,
		Delimiter:       l.encode(l.Delimiter),
		EncodingType:    l.encoding,
	}

	owners, err := ownersOf(r)
	if err != nil {
		return err
	}

	// The last entry of the page is the position of the next page.
	result.IsTruncated, err = r.Server.Store.ListVersions(
		r.HTTP.Context(), r.Target.Bucket, l.Listing, pos,
		func(v *state.Version, isLatest bool, common string) {
			if v == nil {
				result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
				result.NextKeyMarker = l.encode(common)
				result.NextVersionIDMarker = ""
				return
			}
			result.Entries = append(result.Entries, l.versionEntry(v, isLatest, owners(&v.Object)))
			result.NextKeyMarker = l.encode(v.Key)
			result.NextVersionIDMarker = v.ID
		},
	)
	if err != nil {
		return err
	}

	// Without a next page, there is no position.
	if !result.IsTruncated {
		result.NextKeyMarker = ""
		result.NextVersionIDMarker = ""
	}
	return r.WriteXML("ListVersionsResult", result)
}

// checkVersionMarker fails if version-id-marker, which is pos.ID, is not valid.
func checkVersionMarker(r *request.Request, pos state.VersionPosition) error {
	invalid := func(message string) error {
		return s3error.New("InvalidArgument", "ArgumentName", "version-id-marker", "ArgumentValue", pos.ID).
			WithMessage("%s", message)
	}
	if pos.ID == "" {
		if r.Server.Strict && r.Has("version-id-marker") {
			return invalid("A version-id marker cannot be empty.")
		}
		return nil
	}
	if pos.Key == "" {
		return invalid("A version-id marker cannot be specified without a key marker.")
	}
	if !r.Server.Store.ValidID(pos.ID) {
		return invalid("Invalid version id specified")
	}
	return nil
}

// versionEntry returns the element of a listing for a version, which is a Version or a DeleteMarker.
func (l listRequest) versionEntry(v *state.Version, isLatest bool, owner accounts.Owner) listedVersion {
	e := listedVersion{
		XMLName:      xml.Name{Local: "Version"},
		Key:          l.encode(v.Key),
		VersionID:    v.ID,
		IsLatest:     isLatest,
		LastModified: xmldoc.Time(v.Modified),
		Owner:        owner,
	}
	if v.Marker {
		// A delete marker has no content, and so none of the elements below.
		e.XMLName.Local = "DeleteMarker"
		return e
	}
	e.ETag = v.Object.ETag
	e.Size = &v.Object.Size
	e.StorageClass = v.Object.Properties.Class
	e.RestoreStatus = l.restoreStatus(v)
	e.ChecksumAlgorithm = v.Object.Sum.Algorithm()
	e.ChecksumType = v.Object.Sum.Covers
	return e
}
