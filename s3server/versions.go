package s3server

import (
	"encoding/xml"
	"slices"
	"strings"
)

type versionList struct {
	XMLName             xml.Name `xml:"ListVersionsResult"`
	Xmlns               string   `xml:"xmlns,attr"`
	Name                string
	Prefix              text
	KeyMarker           text
	VersionIDMarker     string `xml:"VersionIdMarker"`
	NextKeyMarker       text   `xml:",omitempty"`
	NextVersionIDMarker string `xml:"NextVersionIdMarker,omitempty"`
	MaxKeys             int
	Delimiter           text   `xml:",omitempty"`
	EncodingType        string `xml:",omitempty"`
	IsTruncated         bool
	Entries             []listedVersion
	CommonPrefixes      []commonPrefix
}

// A listedVersion is a Version or a DeleteMarker, which has fewer fields. Both are in
// one sequence.
type listedVersion struct {
	XMLName           xml.Name
	Key               text
	VersionID         string `xml:"VersionId"`
	IsLatest          bool
	LastModified      string
	ETag              string `xml:",omitempty"`
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              *int64
	StorageClass      string `xml:",omitempty"`
	Owner             owner
}

// listVersions lists versions by key, and newest first for one key.
func (r *request) listVersions() error {
	l, err := r.listing("max-keys")
	if err != nil {
		return err
	}
	after := versionPosition{r.query.Get("key-marker"), r.query.Get("version-id-marker")}
	if after.id != "" && after.key == "" {
		return newError("InvalidArgument", "ArgumentName", "version-id-marker", "ArgumentValue", after.id).withMessage("A version-id marker cannot be specified without a key marker.")
	}
	if after.id != "" && !validVersionID(after.id) {
		return newError("InvalidArgument", "ArgumentName", "version-id-marker", "ArgumentValue", after.id).withMessage("Invalid version id specified")
	}
	result := versionList{
		Xmlns: namespace, Name: r.bucket, Prefix: l.encode(l.prefix), KeyMarker: l.encode(after.key), VersionIDMarker: after.id,
		MaxKeys: l.max, Delimiter: l.encode(l.delimiter), EncodingType: l.encoding,
	}
	err = r.view(func(b *bucket) error {
		result.IsTruncated = l.walkVersions(b, after, &result)
		return nil
	})
	if err != nil {
		return err
	}
	if !result.IsTruncated {
		result.NextKeyMarker, result.NextVersionIDMarker = "", ""
	}
	return r.writeXML(result)
}

// A versionPosition is after a key or, with an id, after that version of the key.
type versionPosition struct{ key, id string }

func (l listing) walkVersions(b *bucket, after versionPosition, result *versionList) (more bool) {
	keys := b.keys.Iter()
	last := ""
	for ok := keys.Seek(max(l.prefix, after.key)); ok && strings.HasPrefix(keys.Key(), l.prefix); ok = keys.Next() {
		common, rolled := l.commonPrefix(keys.Key())
		if rolled && (common == last || common == after.key) {
			continue
		}
		versions := keys.Value()
		for i := after.in(keys.Key(), versions); i < len(versions); i++ {
			if len(result.Entries)+len(result.CommonPrefixes) == l.max {
				return l.max > 0
			}
			if rolled {
				last = common
				result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
				result.NextKeyMarker, result.NextVersionIDMarker = l.encode(common), ""
				break
			}
			result.Entries = append(result.Entries, l.versionEntry(b, versions[i], i == 0))
			result.NextKeyMarker, result.NextVersionIDMarker = l.encode(keys.Key()), versions[i].id
		}
	}
	return false
}

// in returns the index of the first version after the position.
func (p versionPosition) in(key string, versions []*version) int {
	if key != p.key {
		return 0
	}
	number, known := numberOf(p.id)
	i := slices.IndexFunc(versions, func(v *version) bool { return v.id == p.id || known && v.number < number })
	switch {
	case i < 0:
		return len(versions)
	case versions[i].id == p.id:
		return i + 1
	}
	return i
}

func (l listing) versionEntry(b *bucket, v *version, latest bool) listedVersion {
	e := listedVersion{
		XMLName: xml.Name{Local: "Version"}, Key: l.encode(v.key), VersionID: v.id, IsLatest: latest,
		LastModified: isoTime(v.modified), Owner: ownerOf(b.ownerOf(&v.object)),
	}
	if v.marker {
		e.XMLName.Local = "DeleteMarker"
		return e
	}
	e.ETag, e.Size, e.StorageClass = v.etag, &v.size, v.class
	e.ChecksumAlgorithm, e.ChecksumType = v.sum.kind.name, v.sum.covers
	return e
}
