package s3server

import (
	"cmp"
	"encoding/xml"
	"slices"
	"strings"
)

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

func (r *request) listParts() error {
	most, err := r.pageSize("max-parts")
	if err != nil {
		return err
	}
	after, err := r.number("part-number-marker", 0)
	if err != nil {
		return err
	}
	result := partList{
		Xmlns: namespace, Bucket: r.bucket, Key: text(r.key), UploadID: r.query.Get("uploadId"),
		PartNumberMarker: after, MaxParts: most,
	}
	err = r.view(func(b *bucket) error {
		u, err := b.findUpload(r.key, result.UploadID)
		if err != nil {
			return err
		}
		result.StorageClass, result.Initiator, result.Owner = u.class, ownerOf(u.initiator), ownerOf(b.ownerOf(&u.object))
		if u.asked {
			result.ChecksumAlgorithm, result.ChecksumType = u.kind.name, u.covers
		}
		for _, n := range u.numbers() {
			if n <= after {
				continue
			}
			if len(result.Part) == most {
				result.IsTruncated = true
				break
			}
			p := u.parts[n]
			result.Part = append(result.Part, listedPart{n, isoTime(p.modified), p.etag, p.size, elementsOf(u.shown(p.sum))})
			result.NextPartNumberMarker = n
		}
		return nil
	})
	if err != nil {
		return err
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
func (r *request) listUploads() error {
	l, err := r.listing("max-uploads")
	if err != nil {
		return err
	}
	key, id := r.query.Get("key-marker"), r.query.Get("upload-id-marker")
	result := uploadList{
		Xmlns: namespace, Bucket: r.bucket, KeyMarker: l.encode(key), UploadIDMarker: id, Prefix: l.encode(l.prefix),
		Delimiter: l.encode(l.delimiter), EncodingType: l.encoding, MaxUploads: l.max,
	}
	err = r.view(func(b *bucket) error {
		last := ""
		for _, u := range b.sortedUploads(key, id) {
			common, rolled := l.commonPrefix(u.key)
			if !strings.HasPrefix(u.key, l.prefix) || rolled && (common == last || common == key) {
				continue
			}
			if len(result.Upload)+len(result.CommonPrefixes) == l.max {
				result.IsTruncated = true
				break
			}
			if rolled {
				last = common
				result.CommonPrefixes = append(result.CommonPrefixes, commonPrefix{l.encode(common)})
				result.NextKeyMarker, result.NextUploadIDMarker = l.encode(common), ""
				continue
			}
			result.Upload = append(result.Upload, listedUpload{
				l.encode(u.key), u.id, ownerOf(u.initiator), ownerOf(b.ownerOf(&u.object)), u.class, isoTime(u.initiated),
			})
			result.NextKeyMarker, result.NextUploadIDMarker = l.encode(u.key), u.id
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !result.IsTruncated {
		result.NextKeyMarker, result.NextUploadIDMarker = "", ""
	}
	return r.writeXML(result)
}

// sortedUploads returns the uploads after a key or, with an id, after that upload to
// the key.
func (b *bucket) sortedUploads(key, id string) []*upload {
	var all []*upload
	for _, u := range b.uploads {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *upload) int {
		return cmp.Or(strings.Compare(a.key, b.key), a.initiated.Compare(b.initiated), strings.Compare(a.id, b.id))
	})
	i := slices.IndexFunc(all, func(u *upload) bool { return u.key > key })
	if id != "" {
		if at := slices.IndexFunc(all, func(u *upload) bool { return u.key == key && u.id == id }); at >= 0 {
			i = at + 1
		}
	}
	if i < 0 {
		return nil
	}
	return all[i:]
}
