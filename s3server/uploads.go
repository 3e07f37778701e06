package s3server

import (
	"encoding/xml"

	"github.com/omnibucket/storage/s3server/internal/accounts"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type partList struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	Xmlns                string   `xml:"xmlns,attr"`
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
	most, err := pageSize(r, "max-parts")
	if err != nil {
		return err
	}
	after, err := r.number("part-number-marker", 0)
	if err != nil {
		return err
	}
	result := partList{
		Xmlns: xmldoc.Namespace, Bucket: r.target.bucket, Key: xmldoc.Text(r.target.key), UploadID: r.query.Get("uploadId"),
		PartNumberMarker: after, MaxParts: most,
	}
	u, err := r.upload()
	if err != nil {
		return err
	}
	if r.Header.Get(customerPrefix+"-Key") != "" {
		if err := checkPart(r, u); err != nil {
			return err
		}
	}
	owners, err := r.owners()
	if err != nil {
		return err
	}
	showAbortion(r, u)
	result.StorageClass, result.Initiator, result.Owner = u.object.properties.class, accounts.OwnerOf(u.initiator), owners(&u.object)
	if u.asked {
		result.ChecksumAlgorithm, result.ChecksumType = u.kind.Name, u.covers
	}
	parts, more, err := r.server.store.parts(r.Context(), u, after, most)
	if err != nil {
		return err
	}
	result.IsTruncated = more
	for _, p := range parts {
		result.Part = append(result.Part, listedPart{p.number, xmldoc.Time(p.modified), p.etag, p.size, checksum.ElementsOf(u.shown(p.sum))})
		result.NextPartNumberMarker = p.number
	}
	return r.writeXML(result)
}

type uploadList struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	Xmlns              string   `xml:"xmlns,attr"`
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

// listUploads lists uploads by key, and by time for one key.
func listUploads(r *request) error {
	l, err := r.listing("max-uploads")
	if err != nil {
		return err
	}
	key, id := r.query.Get("key-marker"), r.query.Get("upload-id-marker")
	result := uploadList{
		Xmlns: xmldoc.Namespace, Bucket: r.target.bucket, KeyMarker: l.encode(key), UploadIDMarker: id, Prefix: l.encode(l.prefix),
		Delimiter: l.encode(l.delimiter), EncodingType: l.encoding, MaxUploads: l.max,
	}
	owners, err := r.owners()
	if err != nil {
		return err
	}
	result.IsTruncated, err = r.server.store.listUploads(r.Context(), r.target.bucket, l, uploadPosition{key, id}, func(u *upload, common string) {
		if u == nil {
			result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
			result.NextKeyMarker, result.NextUploadIDMarker = l.encode(common), ""
			return
		}
		result.Upload = append(result.Upload, listedUpload{
			l.encode(u.key), u.id, accounts.OwnerOf(u.initiator), owners(&u.object), u.object.properties.class, xmldoc.Time(u.initiated),
		})
		result.NextKeyMarker, result.NextUploadIDMarker = l.encode(u.key), u.id
	})
	if err != nil {
		return err
	}
	if !result.IsTruncated {
		result.NextKeyMarker, result.NextUploadIDMarker = "", ""
	}
	return r.writeXML(result)
}
