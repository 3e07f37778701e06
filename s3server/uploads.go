package s3server

import "encoding/xml"

type partList struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	Xmlns                string   `xml:"xmlns,attr"`
	Bucket               string
	Key                  text
	UploadID             string `xml:"UploadId"`
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string `xml:",omitempty"`
	ChecksumType         string `xml:",omitempty"`
	StorageClass         string
	Initiator, Owner     owner
	Part                 []listedPart
}

type listedPart struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	checksumElements
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
		Xmlns: namespace, Bucket: r.target.bucket, Key: text(r.target.key), UploadID: r.query.Get("uploadId"),
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
	result.StorageClass, result.Initiator, result.Owner = u.object.properties.class, ownerOf(u.initiator), owners(&u.object)
	if u.asked {
		result.ChecksumAlgorithm, result.ChecksumType = u.kind.name, u.covers
	}
	parts, more, err := r.server.store.parts(r.Context(), u, after, most)
	if err != nil {
		return err
	}
	result.IsTruncated = more
	for _, p := range parts {
		result.Part = append(result.Part, listedPart{p.number, isoTime(p.modified), p.etag, p.size, elementsOf(u.shown(p.sum))})
		result.NextPartNumberMarker = p.number
	}
	return r.writeXML(result)
}

type uploadList struct {
	XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
	Xmlns              string   `xml:"xmlns,attr"`
	Bucket             string
	KeyMarker          text
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      text   `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Prefix             text
	Delimiter          text   `xml:",omitempty"`
	EncodingType       string `xml:",omitempty"`
	MaxUploads         int
	IsTruncated        bool
	Upload             []listedUpload
	CommonPrefixes     []commonPrefix
}

type listedUpload struct {
	Key              text
	UploadID         string `xml:"UploadId"`
	Initiator, Owner owner
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
		Xmlns: namespace, Bucket: r.target.bucket, KeyMarker: l.encode(key), UploadIDMarker: id, Prefix: l.encode(l.prefix),
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
			l.encode(u.key), u.id, ownerOf(u.initiator), owners(&u.object), u.object.properties.class, isoTime(u.initiated),
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
