package s3server

import (
	"encoding/xml"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type versionList struct {
	XMLName             xml.Name `xml:"ListVersionsResult"`
	Xmlns               string   `xml:"xmlns,attr"`
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

// A listedVersion is a Version or a DeleteMarker, which has fewer fields. Both are in
// one sequence.
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

// listVersions lists versions by key, and newest first for one key.
func listVersions(r *request) error {
	l, err := r.listing("max-keys")
	if err != nil {
		return err
	}
	after := versionPosition{r.query.Get("key-marker"), r.query.Get("version-id-marker")}
	if after.id != "" && after.key == "" {
		return s3error.New("InvalidArgument", "ArgumentName", "version-id-marker", "ArgumentValue", after.id).WithMessage("A version-id marker cannot be specified without a key marker.")
	}
	if after.id != "" && !r.server.validVersionID(after.id) {
		return s3error.New("InvalidArgument", "ArgumentName", "version-id-marker", "ArgumentValue", after.id).WithMessage("Invalid version id specified")
	}
	result := versionList{
		Xmlns: xmldoc.Namespace, Name: r.target.bucket, Prefix: l.encode(l.prefix), KeyMarker: l.encode(after.key), VersionIDMarker: after.id,
		MaxKeys: l.max, Delimiter: l.encode(l.delimiter), EncodingType: l.encoding,
	}
	owners, err := r.owners()
	if err != nil {
		return err
	}
	result.IsTruncated, err = r.server.store.listVersions(r.Context(), r.target.bucket, l, after, func(v *version, latest bool, common string) {
		if v == nil {
			result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
			result.NextKeyMarker, result.NextVersionIDMarker = l.encode(common), ""
			return
		}
		result.Entries = append(result.Entries, l.versionEntry(v, latest, owners))
		result.NextKeyMarker, result.NextVersionIDMarker = l.encode(v.key), v.id
	})
	if err != nil {
		return err
	}
	if !result.IsTruncated {
		result.NextKeyMarker, result.NextVersionIDMarker = "", ""
	}
	return r.writeXML(result)
}

func (l listing) versionEntry(v *version, latest bool, owners func(*object) accounts.Owner) listedVersion {
	e := listedVersion{
		XMLName: xml.Name{Local: "Version"}, Key: l.encode(v.key), VersionID: v.id, IsLatest: latest,
		LastModified: xmldoc.Time(v.modified), Owner: owners(&v.object),
	}
	if v.marker {
		e.XMLName.Local = "DeleteMarker"
		return e
	}
	e.ETag, e.Size, e.StorageClass, e.RestoreStatus = v.object.etag, &v.object.size, v.object.properties.class, l.restoreStatus(v)
	e.ChecksumAlgorithm, e.ChecksumType = v.object.sum.Algorithm(), v.object.sum.Covers
	return e
}
