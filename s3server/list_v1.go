package s3server

import (
	"encoding/xml"
	"slices"

	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// objectListV1 is the page of a listing that continues after a key, and not after a token.
type objectListV1 struct {
	XMLName        xml.Name `xml:"ListBucketResult"`
	Xmlns          string   `xml:"xmlns,attr"`
	Name           string
	Prefix         xmldoc.Text
	Marker         xmldoc.Text
	NextMarker     xmldoc.Text `xml:",omitempty"`
	MaxKeys        int
	Delimiter      xmldoc.Text `xml:",omitempty"`
	EncodingType   string      `xml:",omitempty"`
	IsTruncated    bool
	Contents       []listedObject
	CommonPrefixes []commonPrefix
}

// listObjectsV1 is ListObjects. Like AWS, it names the last entry of a page only in a listing
// with a delimiter; without one, the client continues after the last key.
func listObjectsV1(r *request) error {
	l, err := r.listing("max-keys")
	if err != nil {
		return err
	}
	marker := r.query.Get("marker")
	result := objectListV1{
		Xmlns: xmldoc.Namespace, Name: r.target.bucket, Prefix: l.encode(l.prefix), Marker: l.encode(marker),
		MaxKeys: l.max, Delimiter: l.encode(l.delimiter), EncodingType: l.encoding,
	}
	common, rolled := l.commonPrefix(marker)
	after := position{key: marker, prefix: rolled && common == marker}
	if r.server.config.folderOrder {
		after.prefix = true // the marker may be the name of a folder
	}
	owners, err := r.owners()
	if err != nil {
		return err
	}
	last := ""
	result.IsTruncated, err = r.list(l, after, func(v *version, common string) {
		if v == nil {
			result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
			last = common
			return
		}
		result.Contents = append(result.Contents, l.entry(v, owners))
		last = v.key
	})
	if err != nil {
		return err
	}
	if result.IsTruncated && l.delimiter != "" {
		result.NextMarker = l.encode(last)
	}
	if r.fault.reverses() {
		slices.Reverse(result.Contents)
		slices.Reverse(result.CommonPrefixes)
	}
	return r.writeXML(result)
}
